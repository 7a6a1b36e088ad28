namespace StableTune.Checkpoints;

/// <summary>The pipelines of diffusers whose models can be loaded: rows of a table, by the name in <c>model_index.json</c>.</summary>
/// <param name="Class">The class of the pipeline.</param>
/// <param name="IsXl">Whether it is one of SDXL's.</param>
internal sealed record PipelineKind(string Class, bool IsXl = false)
{
    private static readonly PipelineKind[] Known =
    [
        new("StableDiffusionPipeline"),
        new("StableDiffusionImg2ImgPipeline"),
        new("StableDiffusionInpaintPipeline"),
        new("StableDiffusionInpaintPipelineLegacy"),
        new("StableDiffusionDepth2ImgPipeline"),
        new("StableDiffusionInstructPix2PixPipeline"),
        new("StableDiffusionXLPipeline", IsXl: true),
        new("StableDiffusionXLImg2ImgPipeline", IsXl: true),
        new("StableDiffusionXLInpaintPipeline", IsXl: true),
        new("StableDiffusionXLInstructPix2PixPipeline", IsXl: true),
    ];

    /// <summary>The pipeline that an index names.</summary>
    /// <exception cref="InvalidFileException">It is none that is known.</exception>
    public static PipelineKind Of(ConfigFile index)
    {
        var name = index.Text("_class_name");
        return Array.Find(Known, kind => kind.Class == name) ?? throw new InvalidFileException(
            index.Path, $"the model is a {name ?? "pipeline of no named class"}, which is not supported.",
            "Stable Diffusion 1.x, 2.x and XL are: " + string.Join(", ", Known.Select(kind => kind.Class)) + ".");
    }
}
