namespace StableTune.Models;

/// <summary>How a model's blocks compute: one object, shared by all blocks of a model. Changes no result beyond rounding.</summary>
internal sealed class ForwardSettings
{
    /// <summary>Whether each resnet and each transformer block keeps only its inputs and computes again in the backward pass.</summary>
    public bool GradientCheckpointing { get; set; }

    /// <summary>
    /// Whether cheap elementwise results (normalised and activated values) are computed again in the backward pass, and the
    /// feed-forward parts of transformers with the norms before them. The parts hold a third of what a step keeps, for 7 % of its time.
    /// </summary>
    public bool RecomputeActivations { get; set; } = true;

    /// <summary>How attention is computed.</summary>
    public AttentionBackend Attention { get; set; } = AttentionBackend.Automatic;

    /// <summary>Merges tokens before attention; null for none.</summary>
    public TokenMerging? TokenMerging { get; set; }

    /// <summary>Height and width of the latents of this pass, which token merging goes by.</summary>
    public (long Height, long Width) Latents { get; set; }

    /// <summary>Where checkpoints keep the inputs of blocks; null for where they are.</summary>
    public ITensorMover? CheckpointMover { get; set; }

    /// <summary>Brings the weights of blocks to the device when they are needed; null where all of them stay there.</summary>
    public BlockSwap? Swap { get; set; }

    /// <summary>Which tokens are kept in this pass of a transformer block; null where none are merged.</summary>
    /// <param name="tokens">[B, N, C].</param>
    public TokenCells? DrawCells(Tensor tokens) =>
        TokenMerging?.Draw(Latents.Height, Latents.Width, tokens.shape[0], tokens.shape[1]);

    /// <summary>Runs a block, checkpointed if so set, with its weights on the device.</summary>
    /// <param name="block">The block.</param>
    /// <param name="body">What it computes: a function of the inputs alone, apart from parameters.</param>
    /// <param name="inputs">Its inputs. None need carry gradients: a checkpoint reaches the parameters inside all the same.</param>
    public Tensor Block(nn.Module block, Func<Tensor[], Tensor> body, params Tensor[] inputs)
    {
        var run = Swap is { } swap ? tensors => swap.Run(block, body, tensors) : body;
        if (!GradientCheckpointing || !is_grad_enabled()) return run(inputs);
        // The first input is what the block before made; the others are shared by all blocks.
        return CheckpointMover is { } mover ? ActivationCheckpoint.RunOffloaded(run, mover, inputs) : ActivationCheckpoint.Run(run, inputs);
    }

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
