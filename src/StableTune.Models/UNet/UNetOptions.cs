namespace StableTune.Models;

/// <summary>The architecture of a <c>UNet2DConditionModel</c>: diffusers' <c>unet/config.json</c> as a record.</summary>
/// <remarks>SD 1.x, SD 2.x and SDXL are presets of the same blocks. Lists have one entry per level, from the largest resolution
/// down.</remarks>
public sealed record UNetOptions : OptionsBase
{
    /// <summary>The down block with transformers, as <see cref="DownBlockTypes"/> names it.</summary>
    public const string CrossAttentionDown = "CrossAttnDownBlock2D";

    /// <summary>The down block without transformers, as <see cref="DownBlockTypes"/> names it.</summary>
    public const string PlainDown = "DownBlock2D";

    /// <summary>The up block with transformers, as <see cref="UpBlockTypes"/> names it.</summary>
    public const string CrossAttentionUp = "CrossAttnUpBlock2D";

    /// <summary>The up block without transformers, as <see cref="UpBlockTypes"/> names it.</summary>
    public const string PlainUp = "UpBlock2D";

    /// <summary>The <see cref="AdditionEmbedType"/> of SDXL: pooled text and the sizes of the image.</summary>
    public const string TextTime = "text_time";

    /// <summary>Channels of the input: 4 latent channels; 9 for inpainting models, 5 for depth, 8 for instruct-pix2pix.</summary>
    public int InChannels { get; init; } = 4;

    /// <summary>Channels of the prediction.</summary>
    public int OutChannels { get; init; } = 4;

    /// <summary>The latent height and width the model was made for (<c>sample_size</c>), latent pixels of 8 by 8 image pixels.</summary>
    public int SampleSize { get; init; } = 64;

    /// <summary>Channels of each level (<c>block_out_channels</c>).</summary>
    public IReadOnlyList<int> BlockOutChannels { get; init; } = [320, 640, 1280, 1280];

    /// <summary>Resnets of each down block; up blocks have one more.</summary>
    public int LayersPerBlock { get; init; } = 2;

    /// <summary>Attention heads of each level. The configuration's <c>attention_head_dim</c> holds this number, a historical
    /// misnomer.</summary>
    public IReadOnlyList<int> AttentionHeads { get; init; } = [8, 8, 8, 8];

    /// <summary>Transformer blocks in each transformer, per level; the middle has as many as the last level.</summary>
    public IReadOnlyList<int> TransformerLayersPerBlock { get; init; } = [1, 1, 1, 1];

    /// <summary>Width of the text context (<c>cross_attention_dim</c>).</summary>
    public int CrossAttentionDim { get; init; } = 768;

    /// <summary>The kind of each down block: <see cref="CrossAttentionDown"/> or <see cref="PlainDown"/>.</summary>
    public IReadOnlyList<string> DownBlockTypes { get; init; } =
        [CrossAttentionDown, CrossAttentionDown, CrossAttentionDown, PlainDown];

    /// <summary>The kind of each up block, from the smallest resolution up: <see cref="CrossAttentionUp"/> or
    /// <see cref="PlainUp"/>.</summary>
    public IReadOnlyList<string> UpBlockTypes { get; init; } = [PlainUp, CrossAttentionUp, CrossAttentionUp, CrossAttentionUp];

    /// <summary>Whether <c>proj_in</c> and <c>proj_out</c> of the transformers are linear; else they are 1x1 convolutions.</summary>
    public bool UseLinearProjection { get; init; }

    /// <summary>Whether attention scores are computed in float32 whatever the compute type is (SD 2.x v models overflow float16).</summary>
    public bool UpcastAttention { get; init; }

    /// <summary>Groups of every group norm. 32 in published models.</summary>
    public int NormNumGroups { get; init; } = 32;

    /// <summary>Epsilon of the group norms in resnets and at the output. The norm before a transformer always has 1e-6.</summary>
    public double NormEps { get; init; } = 1e-5;

    /// <summary>Whether the timestep's sinusoid is cosine first, then sine. True in all published models.</summary>
    public bool FlipSinToCos { get; init; } = true;

    /// <summary>The sinusoid's frequencies are exp(-ln 10000 · i / (half - FreqShift)). 0 in published models.</summary>
    public double FreqShift { get; init; }

    /// <summary>What the time embedding is added to: null for nothing, <see cref="TextTime"/> for SDXL.</summary>
    public string? AdditionEmbedType { get; init; }

    /// <summary>Width of the sinusoid of each of the six size conditions of <see cref="TextTime"/>.</summary>
    public int AdditionTimeEmbedDim { get; init; } = 256;

    /// <summary>Width of the added condition: pooled text width + 6 · <see cref="AdditionTimeEmbedDim"/>; 0 without one.</summary>
    public int ProjectionClassEmbeddingsInputDim { get; init; }

    /// <summary>Stable Diffusion 1.x.</summary>
    public static UNetOptions Sd15 { get; } = new();

    /// <summary>Stable Diffusion 2.x. The base model (512 pixels) differs in nothing but the prediction.</summary>
    public static UNetOptions Sd21 { get; } = new()
    {
        SampleSize = 96,
        AttentionHeads = [5, 10, 20, 20],
        CrossAttentionDim = 1024,
        UseLinearProjection = true,
        UpcastAttention = true,
    };

    /// <summary>Stable Diffusion XL base.</summary>
    public static UNetOptions Sdxl { get; } = new()
    {
        SampleSize = 128,
        BlockOutChannels = [320, 640, 1280],
        AttentionHeads = [5, 10, 20],
        TransformerLayersPerBlock = [1, 2, 10],
        CrossAttentionDim = 2048,
        DownBlockTypes = [PlainDown, CrossAttentionDown, CrossAttentionDown],
        UpBlockTypes = [CrossAttentionUp, CrossAttentionUp, PlainUp],
        UseLinearProjection = true,
        AdditionEmbedType = TextTime,
        AdditionTimeEmbedDim = 256,
        ProjectionClassEmbeddingsInputDim = 2816,
    };

    /// <summary>SD 1.x's topology, small enough for tests: levels 32, 32, 32, 64, context 48, 8 groups.</summary>
    public static UNetOptions Tiny { get; } = new()
    {
        BlockOutChannels = [32, 32, 32, 64],
        CrossAttentionDim = 48,
        NormNumGroups = 8,
    };

    /// <summary>Whether the model takes pooled text and sizes besides the context (SDXL).</summary>
    public bool TakesAddedConditions => AdditionEmbedType == TextTime;

    /// <summary>Width of the pooled text that it takes; null where it takes none.</summary>
    internal int? PooledWidth => TakesAddedConditions ? ProjectionClassEmbeddingsInputDim - (6 * AdditionTimeEmbedDim) : null;

    /// <summary>Whether the model paints into pictures: it takes a mask and the masked picture's latents beside the noisy
    /// latents.</summary>
    public bool TakesMask => InChannels == 2 * OutChannels + 1;

    /// <summary>Whether the model draws by depth maps: it takes one beside the noisy latents.</summary>
    public bool TakesDepth => InChannels == OutChannels + 1;

    /// <summary>Levels of resolution.</summary>
    internal int Levels => BlockOutChannels.Count;

    /// <summary>Width of the time embedding: four times the first level's channels.</summary>
    internal int TimeEmbedDim => 4 * BlockOutChannels[0];

    /// <inheritdoc/>
    public override IEnumerable<OptionProblem> Validate()
    {
        if (BlockOutChannels.Count == 0)
        {
            yield return Problem(BlockOutChannels.Count, "at least one level is needed", "give the channels of each level",
                nameof(BlockOutChannels));
            yield break;
        }

        if (InChannels < 1) yield return Problem(InChannels, "there must be at least one channel", "latents have 4");
        if (OutChannels < 1) yield return Problem(OutChannels, "there must be at least one channel", "latents have 4");
        if (LayersPerBlock < 1)
            yield return Problem(LayersPerBlock, "there must be at least one resnet in a block", "published models have 2");
        if (NormNumGroups < 1) yield return Problem(NormNumGroups, "there must be at least one group", "published models have 32");
        if (CrossAttentionDim < 1)
            yield return Problem(CrossAttentionDim, "the context width must be positive", "768 for SD 1.x, 1024 for SD 2.x, 2048 for SDXL");
        foreach (var problem in LevelProblems()) yield return problem;
        foreach (var problem in BlockTypeProblems()) yield return problem;
        if (AdditionEmbedType is not (null or TextTime))
            yield return Problem(AdditionEmbedType, $"the added condition is not known", $"use null or \"{TextTime}\"");
        if (AdditionEmbedType == TextTime && ProjectionClassEmbeddingsInputDim <= 6 * AdditionTimeEmbedDim)
            yield return Problem(ProjectionClassEmbeddingsInputDim, "it must exceed the width of the six size conditions",
                "use pooled text width + 6 * AdditionTimeEmbedDim");
    }

    private IEnumerable<OptionProblem> LevelProblems()
    {
        foreach (var (name, count) in new[]
        {
            (nameof(AttentionHeads), AttentionHeads.Count), (nameof(TransformerLayersPerBlock), TransformerLayersPerBlock.Count),
            (nameof(DownBlockTypes), DownBlockTypes.Count), (nameof(UpBlockTypes), UpBlockTypes.Count),
        })
        {
            if (count != Levels)
                yield return Problem($"a list of {count}", $"there must be one entry for each of the {Levels} levels",
                    "give one per level", name);
        }

        for (var level = 0; level < Levels; level++)
        {
            var channels = BlockOutChannels[level];
            if (NormNumGroups > 0 && (channels < 1 || channels % NormNumGroups != 0))
                yield return Problem(channels, $"the channels must be a positive multiple of the {NormNumGroups} norm groups",
                    "change the channels or NormNumGroups", $"{nameof(BlockOutChannels)}[{level}]");
            if (level < AttentionHeads.Count && (AttentionHeads[level] < 1 || channels % AttentionHeads[level] != 0))
                yield return Problem(AttentionHeads[level], $"the heads must divide the {channels} channels of the level",
                    "change the number of heads", $"{nameof(AttentionHeads)}[{level}]");
            if (level < TransformerLayersPerBlock.Count && TransformerLayersPerBlock[level] < 1)
                yield return Problem(TransformerLayersPerBlock[level], "a transformer has at least one block",
                    "use a block type without transformers instead", $"{nameof(TransformerLayersPerBlock)}[{level}]");
        }
    }

    private IEnumerable<OptionProblem> BlockTypeProblems()
    {
        for (var i = 0; i < DownBlockTypes.Count; i++)
        {
            if (DownBlockTypes[i] is not (CrossAttentionDown or PlainDown))
                yield return Problem(DownBlockTypes[i], "the block is not known", $"use {CrossAttentionDown} or {PlainDown}",
                    $"{nameof(DownBlockTypes)}[{i}]");
        }

        for (var i = 0; i < UpBlockTypes.Count; i++)
        {
            if (UpBlockTypes[i] is not (CrossAttentionUp or PlainUp))
                yield return Problem(UpBlockTypes[i], "the block is not known", $"use {CrossAttentionUp} or {PlainUp}",
                    $"{nameof(UpBlockTypes)}[{i}]");
        }
    }
}
