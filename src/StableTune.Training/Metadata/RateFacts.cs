namespace StableTune.Training;

/// <summary>What files say about learning rates, optimizer and gradients.</summary>
internal sealed record RateFacts
{
    /// <summary>The run's learning rate.</summary>
    public double LearningRate { get; init; }

    /// <summary>The text encoder's own rate; null for the run's.</summary>
    public double? TextEncoderLearningRate { get; init; }

    /// <summary>The rate of SDXL's second text encoder, where it differs; the entry then holds a list.</summary>
    public double? SecondTextEncoderLearningRate { get; init; }

    /// <summary>The UNet's own rate; null for the run's.</summary>
    public double? UNetLearningRate { get; init; }

    /// <summary>Steps of warm-up.</summary>
    public int WarmupSteps { get; init; }

    /// <summary>The schedule's name: <c>constant</c>, <c>constant_with_warmup</c>, <c>cosine</c> ...</summary>
    public string Scheduler { get; init; } = "constant";

    /// <summary>The optimizer as <c>module.Class(arguments)</c>: <c>torch.optim.adamw.AdamW(weight_decay=0.1)</c>.</summary>
    public string Optimizer { get; init; } = "torch.optim.adamw.AdamW";

    /// <summary>The limit of the gradient's norm; 0 for none.</summary>
    public double MaxGradNorm { get; init; } = 1;

    /// <summary>Whether activations were computed again in the backward pass.</summary>
    public bool GradientCheckpointing { get; init; }

    /// <summary>Micro-batches in a step.</summary>
    public int GradientAccumulationSteps { get; init; } = 1;

    private object? TextEncoderRates => SecondTextEncoderLearningRate is { } second
        ? $"[{PythonRepr.Of(TextEncoderLearningRate ?? LearningRate)}, {PythonRepr.Of(second)}]" : TextEncoderLearningRate;

    internal IEnumerable<(string Key, object? Value)> Rows() =>
    [
        ("ss_learning_rate", LearningRate), ("ss_text_encoder_lr", TextEncoderRates), ("ss_unet_lr", UNetLearningRate),
        ("ss_lr_warmup_steps", WarmupSteps), ("ss_lr_scheduler", Scheduler), ("ss_optimizer", Optimizer), ("ss_max_grad_norm", MaxGradNorm),
        ("ss_gradient_checkpointing", GradientCheckpointing), ("ss_gradient_accumulation_steps", GradientAccumulationSteps),
    ];
}
