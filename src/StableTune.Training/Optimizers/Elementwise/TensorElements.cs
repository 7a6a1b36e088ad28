namespace StableTune.Optimizers;

/// <summary>The vectors of an update as a formula sees them, and back.</summary>
internal static class TensorElements
{
    /// <summary>Weights, gradients and what is remembered.</summary>
    /// <param name="update">The update.</param>
    /// <param name="slots">What is remembered, in the formula's order.</param>
    public static Elements<TensorNumbers> Of(FlatUpdate update, IReadOnlyList<FlatSlot> slots)
    {
        var at = new Elements<TensorNumbers> { Weight = new(update.Weights), Gradient = new(update.Gradients) };
        if (slots.Count > 0) at.First = new(update[slots[0].Name]);
        if (slots.Count > 1) at.Second = new(update[slots[1].Name]);
        if (slots.Count > 2) at.Third = new(update[slots[2].Name]);
        if (slots.Count > 3) at.Fourth = new(update[slots[3].Name]);
        if (slots.Count > 4) at.Fifth = new(update[slots[4].Name]);
        return at;
    }

    /// <summary>Copies what a formula changed into the vectors.</summary>
    public static void PutBack(in Elements<TensorNumbers> at, FlatUpdate update, IReadOnlyList<FlatSlot> slots)
    {
        Put(at.Weight, update.Weights);
        if (slots.Count > 0) Put(at.First, update[slots[0].Name]);
        if (slots.Count > 1) Put(at.Second, update[slots[1].Name]);
        if (slots.Count > 2) Put(at.Third, update[slots[2].Name]);
        if (slots.Count > 3) Put(at.Fourth, update[slots[3].Name]);
        if (slots.Count > 4) Put(at.Fifth, update[slots[4].Name]);

        static void Put(TensorNumbers numbers, Tensor target)
        {
            if (!ReferenceEquals(numbers.Values, target)) target.copy_(numbers.Values);
        }
    }
}
