using Microsoft.Extensions.Options;

namespace StableTune.Hosting;

/// <summary>Lets a host's start fail with all that is wrong with its section, instead of its first run.</summary>
internal sealed class StableTuneOptionsValidation : IValidateOptions<StableTuneOptions>
{
    public ValidateOptionsResult Validate(string? name, StableTuneOptions options) =>
        options.Validate().Select(problem => problem.ToString()).ToList() is { Count: > 0 } problems
            ? ValidateOptionsResult.Fail(problems) : ValidateOptionsResult.Success;
}

/// <summary>The same for the queue.</summary>
internal sealed class TrainingQueueOptionsValidation : IValidateOptions<TrainingQueueOptions>
{
    public ValidateOptionsResult Validate(string? name, TrainingQueueOptions options) =>
        options.Validate().Select(problem => problem.ToString()).ToList() is { Count: > 0 } problems
            ? ValidateOptionsResult.Fail(problems) : ValidateOptionsResult.Success;
}
