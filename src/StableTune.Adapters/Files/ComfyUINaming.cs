namespace StableTune.Adapters;

/// <summary>
/// <c>diffusion_model.input_blocks.1.1.proj_in.lora_down.weight</c>: the paths of single-file checkpoints with dots, as ComfyUI, A1111's
/// web UI and its extensions write them; text encoders are <c>text_encoders.clip_l.transformer</c>.
/// </summary>
internal sealed record ComfyUINaming() : AdapterNaming("ComfyUI and the web UIs")
{
    public override AdapterTensorName? Read(string name, IReadOnlySet<string> tensors)
    {
        if (DottedPaths.Split(name, tensors) is not { } split) return null;
        var read = DottedPaths.Name(split.Path, split.Tensor);
        return DottedPaths.IsOfCheckpoint(read.Path) || name.StartsWith("diffusion_model.", StringComparison.Ordinal)
            || name.StartsWith("text_encoders.", StringComparison.Ordinal) ? read : null;
    }
}

/// <summary><c>unet.down_blocks.0.attentions.0.proj_in.lora_down.weight</c>: sd-scripts' tensors with dots in their paths, as OneTrainer
/// and others write them.</summary>
internal sealed record DottedNaming() : AdapterNaming("OneTrainer")
{
    public override AdapterTensorName? Read(string name, IReadOnlySet<string> tensors) =>
        DottedPaths.Split(name, tensors) is { } split ? DottedPaths.Name(split.Path, split.Tensor) : null;
}
