using StableTune.Training;

namespace StableTune;

public sealed partial record TrainingPlan
{
    /// <summary>The first of the run's devices.</summary>
    internal Device EffectiveDevice => Device ?? Distributed.Devices.FirstOrDefault()
        ?? (torch.cuda.is_available() ? new Device("cuda") : CPU);

    /// <summary>What several devices cannot do together.</summary>
    private IEnumerable<OptionProblem> DistributedProblems()
    {
        foreach (var problem in Distributed.Validate()) yield return problem;
        if (Distributed.Shares <= 1) yield break;
        const string devices = $"{nameof(DistributedOptions)}.{nameof(DistributedOptions.Devices)}";
        var option = Distributed.Processes is null ? devices : $"{nameof(DistributedOptions)}.{nameof(DistributedOptions.Processes)}";
        if (!Method.Needs.HasFlag(MethodNeeds.Dataset))
            yield return new OptionProblem(option, Distributed.Shares, $"{Method.GetType().Name} trains without images, so there is no "
                + "batch to share", "train on one device");
        if (FusedBackward is not null)
            yield return new OptionProblem(option, Distributed.Shares, "a fused backward pass steps parameters before the gradients of the "
                + "others' shares are added", "leave FusedBackward unset, or train on one device");
        if (Distributed.Devices.Count > 1 && GivenModel is not null)
            yield return new OptionProblem(devices, Distributed.Devices.Count, "the model that was given lies on one device, and each "
                + "device needs a copy", "give a path: WithModel(path)");
        if (Distributed.Devices is [var first, ..] && Device is { } device && !SameDevice(device, first))
            yield return new OptionProblem(devices, first.ToString(), $"TrainingPlan.Device is {device}", "call On once");
    }
}
