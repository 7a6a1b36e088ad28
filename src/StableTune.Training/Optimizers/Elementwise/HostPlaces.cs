namespace StableTune.Optimizers;

/// <summary>
/// Where a parameter and what is remembered of it lie in the memory of the CPU. What is remembered never moves; the parameter and its
/// gradient are asked for in each step.
/// </summary>
/// <param name="Weight">How the parameter is kept.</param>
/// <param name="Slots">What is remembered; null where it cannot be used in place.</param>
internal sealed record HostPlaces(HostNumbers Weight, HostNumbers[]? Slots)
{
    /// <summary>Those of a parameter.</summary>
    /// <param name="parameter">The parameter.</param>
    /// <param name="roundsAtRandom">Whether bfloat16 is rounded at random, with bits from libtorch's streams.</param>
    /// <param name="slots">What is remembered.</param>
    public static HostPlaces Of(OptimizedParameter parameter, bool roundsAtRandom, IReadOnlyList<FlatSlot> slots)
    {
        if ((roundsAtRandom && parameter.Value.dtype == ScalarType.BFloat16) || HostNumbers.Of(parameter.Value) is not { } weight)
            return new(default, null);
        var places = new HostNumbers[slots.Count];
        for (var i = 0; i < places.Length; i++)
        {
            if (slots[i].OnHost(parameter) is not { } place) return new(default, null);
            places[i] = place;
        }

        return new(weight, places);
    }

    /// <summary>The parameter as it lies there in this step; null where it cannot be used in place.</summary>
    public HostParameter? Of(OptimizedParameter parameter) =>
        Slots is not null && parameter.GradientOnHost is { } gradient && parameter.Value.DataPointer() is var address and not 0
            ? new HostParameter(parameter.Count, Weight.At(address), gradient, Slots) : null;

    /// <summary>All parameters of an update as they lie there; null where one of them cannot be used in place.</summary>
    /// <param name="update">The update; it must be kept alive as long as the places are used.</param>
    /// <param name="roundsAtRandom">Whether bfloat16 is rounded at random.</param>
    /// <param name="slots">What is remembered, in the formula's order.</param>
    public static HostParameter[]? Of(OptimizerUpdate update, bool roundsAtRandom, IReadOnlyList<FlatSlot> slots)
    {
        if (update.Parameters[0].DeviceType != DeviceType.CPU) return null;
        var parameters = new HostParameter[update.Parameters.Count];
        for (var i = 0; i < parameters.Length; i++)
        {
            var parameter = update.Parameters[i];
            var places = parameter.HostPlaces ??= Of(parameter, roundsAtRandom, slots);
            if (places.Of(parameter) is not { } onHost) return null;
            parameters[i] = onHost;
        }

        return parameters;
    }
}
