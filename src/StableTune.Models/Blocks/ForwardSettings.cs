namespace StableTune.Models;

/// <summary>How a model's blocks compute: one object, shared by all blocks of a model. Changes no result beyond rounding.</summary>
internal sealed class ForwardSettings
{
    /// <summary>Whether each resnet and each transformer block keeps only its inputs and computes again in the backward pass.</summary>
    public bool GradientCheckpointing { get; set; }

    /// <summary>
    /// Whether cheap elementwise results (normalised and activated values, gates) are computed again in the backward pass, and the
    /// feed-forward parts of transformers, which hold
    /// a third of what a step keeps for 7 % of its time.
    /// </summary>
    public bool RecomputeActivations { get; set; } = true;

    /// <summary>How attention is computed.</summary>
    public AttentionBackend Attention { get; set; } = AttentionBackend.Automatic;

    /// <summary>Runs a block, checkpointed if so set.</summary>
    /// <param name="block">The block: a function of the inputs alone, apart from parameters.</param>
    /// <param name="inputs">Its inputs. None need carry gradients: a checkpoint reaches the parameters inside all the same.</param>
    public Tensor Block(Func<Tensor[], Tensor> block, params Tensor[] inputs) =>
        GradientCheckpointing && is_grad_enabled() ? ActivationCheckpoint.Run(block, inputs) : block(inputs);

    /// <summary>Runs a piece that is much wider inside than at its ends; only its input is kept for the backward pass when so
    /// set.</summary>
    /// <param name="piece">A function of the input alone, apart from parameters.</param>
    /// <param name="input">Its input.</param>
    public Tensor Wide(Func<Tensor[], Tensor> piece, Tensor input) =>
        // A checkpointed block keeps nothing of it anyway. Layers inside may have adapters that draw random numbers.
        RecomputeActivations && !GradientCheckpointing && is_grad_enabled()
            && input.requires_grad ? ActivationCheckpoint.Run(piece, input) : piece([input]);

    /// <summary>Runs a cheap elementwise piece; only its input is kept for the backward pass when so set.</summary>
    /// <param name="piece">A function of the input alone, apart from parameters.</param>
    /// <param name="input">Without a gradient there is nothing to save: the piece runs as it is.</param>
    public Tensor Elementwise(Func<Tensor[], Tensor> piece, Tensor input) =>
        RecomputeActivations && is_grad_enabled()
            && input.requires_grad ? ActivationCheckpoint.RunDeterministic(piece, input) : piece([input]);
}
