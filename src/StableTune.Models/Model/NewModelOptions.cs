using StableTune.Models;

namespace StableTune;

/// <summary>What a new model is made of: its architecture, its vocabulary, and the seed of its first weights.</summary>
public sealed record NewModelOptions : OptionsBase
{
    /// <summary>Tokens that CLIP's vocabulary has beside its merges.</summary>
    private const int TokensBesideMerges = 514;

    /// <summary>The UNet.</summary>
    public UNetOptions UNet { get; init; } = UNetOptions.Sd15;

    /// <summary>The VAE.</summary>
    public VaeOptions Vae { get; init; } = VaeOptions.Sd15;

    /// <summary>The text encoder; of SDXL the first. A vocabulary smaller than CLIP's has its first merges.</summary>
    public ClipTextOptions TextEncoder { get; init; } = ClipTextOptions.Sd15;

    /// <summary>The words of the text encoders, of so many tokens as they have; null, the default, for CLIP's first merges.
    /// <see cref="ClipVocabulary.Learn"/> makes one of captions.</summary>
    public ClipVocabulary? Vocabulary { get; init; }

    /// <summary>SDXL's second text encoder; null, the default, for other models.</summary>
    public ClipTextOptions? TextEncoder2 { get; init; }

    /// <summary>Noise schedule, prediction and sampler.</summary>
    public SchedulerOptions Scheduler { get; init; } = SchedulerOptions.Sd15;

    /// <summary>Seeds the first weights. Default 42.</summary>
    public long Seed { get; init; } = 42;

    /// <summary>Stable Diffusion 1.x, at its full size: 1.07 billion weights.</summary>
    public static NewModelOptions Sd15 { get; } = new();

    /// <summary>Stable Diffusion 2.x at 768 pixels, at its full size.</summary>
    public static NewModelOptions Sd21 { get; } = new()
    {
        UNet = UNetOptions.Sd21, TextEncoder = ClipTextOptions.Sd21, Scheduler = SchedulerOptions.Sd21,
    };

    /// <summary>Stable Diffusion XL, at its full size.</summary>
    public static NewModelOptions Sdxl { get; } = new()
    {
        UNet = UNetOptions.Sdxl, Vae = VaeOptions.Sdxl, TextEncoder2 = ClipTextOptions.SdxlSecond,
        Scheduler = SchedulerOptions.Sd15 with { ClassName = "EulerDiscreteScheduler" },
    };

    /// <summary>SD 1.x's topology for pictures of 128 pixels, of a size that a GPU of a few gigabytes trains in hours: about 60 million
    /// weights.</summary>
    public static NewModelOptions Small { get; } = new()
    {
        UNet = new UNetOptions
        {
            SampleSize = 16, BlockOutChannels = [96, 192, 256, 256], CrossAttentionDim = 256, AttentionHeads = [4, 4, 8, 8],
        },
        Vae = new VaeOptions { BlockOutChannels = [32, 64, 128, 128], SampleSize = 128 },
        TextEncoder = new ClipTextOptions
        {
            VocabularySize = 8192, HiddenSize = 256, IntermediateSize = 1024, Layers = 6, Heads = 4,
        },
    };

    /// <summary>SD 1.x's topology with a few channels, for tests and trials: about one million weights.</summary>
    public static NewModelOptions Tiny { get; } = new()
    {
        UNet = UNetOptions.Tiny, Vae = VaeOptions.Tiny, TextEncoder = ClipTextOptions.Tiny,
    };

    /// <summary>Merges of the vocabulary of so many tokens.</summary>
    internal static int MergesOf(ClipTextOptions text) => text.VocabularySize - TokensBesideMerges;

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        foreach (var problem in new OptionsBase?[] { UNet, Vae, TextEncoder, TextEncoder2, Scheduler }.OfType<OptionsBase>()
            .SelectMany(part => part.Validate())) yield return problem;
        foreach (var (text, name) in new[] { (TextEncoder, nameof(TextEncoder)), (TextEncoder2, nameof(TextEncoder2)) })
            if (text is not null)
                foreach (var problem in TextProblems(text, name)) yield return problem;
        if (UNet.OutChannels != Vae.LatentChannels)
            yield return Problem(UNet.OutChannels, $"the VAE's latents have {Vae.LatentChannels} channels", "make both the same",
                $"{nameof(UNet)}.{nameof(UNetOptions.OutChannels)}");
        var width = TextEncoder.HiddenSize + (TextEncoder2?.HiddenSize ?? 0);
        if (UNet.CrossAttentionDim != width)
            yield return Problem(UNet.CrossAttentionDim, $"the text encoder's states are {width} wide", "make both the same",
                $"{nameof(UNet)}.{nameof(UNetOptions.CrossAttentionDim)}");
        if (UNet.TakesAddedConditions != TextEncoder2 is not null)
            yield return Problem(UNet.AdditionEmbedType,
                "a UNet that takes pooled text needs a second text encoder, and only such a one does", "set both or neither",
                $"{nameof(UNet)}.{nameof(UNetOptions.AdditionEmbedType)}");
        else if (TextEncoder2 is { } second && UNet.PooledWidth != second.ProjectionDim)
            yield return Problem(second.ProjectionDim, $"the UNet takes pooled text of {UNet.PooledWidth} channels", "make both the same",
                $"{nameof(TextEncoder2)}.{nameof(ClipTextOptions.ProjectionDim)}");
    }

    private IEnumerable<OptionProblem> TextProblems(ClipTextOptions text, string name)
    {
        if (Vocabulary is { } own)
        {
            if (own.Ids.Count != text.VocabularySize)
                yield return Problem(text.VocabularySize, $"the vocabulary that was given has {own.Ids.Count} tokens",
                    "make both the same", $"{name}.{nameof(text.VocabularySize)}");
        }
        else if (MergesOf(text) is < 0 or > ClipVocabulary.FullMergeCount)
            yield return Problem(text.VocabularySize, $"a vocabulary has {TokensBesideMerges} to "
                + $"{TokensBesideMerges + ClipVocabulary.FullMergeCount} tokens", "49408 is CLIP's",
                $"{name}.{nameof(text.VocabularySize)}");
        if (text.MaxPositions < ClipTokenizer.ChunkLength)
            yield return Problem(text.MaxPositions, $"captions take {ClipTokenizer.ChunkLength} places", "77 in all published models",
                $"{name}.{nameof(text.MaxPositions)}");
    }
}
