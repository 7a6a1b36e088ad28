using TorchSharp.Modules;

namespace StableTune.Models;

/// <summary>Resnets of one level, each followed by a transformer if the level has them, then the way down.</summary>
/// <remarks>diffusers' <c>CrossAttnDownBlock2D</c> and <c>DownBlock2D</c>. Every result is also a skip connection.</remarks>
internal sealed class UNetDownBlock : nn.Module<Tensor, Tensor, Tensor, Stack<Tensor>, Tensor>
{
    private readonly ModuleList<Transformer2DModel>? attentions;
    private readonly ModuleList<ResnetBlock2D> resnets;
    private readonly ModuleList<Downsample2D>? downsamplers;
    private readonly ForwardSettings _settings;

    internal UNetDownBlock(UNetOptions options, int level, ForwardSettings settings) : base(options.DownBlockTypes[level])
    {
        _settings = settings;
        var (channels, layers) = (options.BlockOutChannels[level], Enumerable.Range(0, options.LayersPerBlock));
        var previous = options.BlockOutChannels[Math.Max(0, level - 1)];
        if (options.DownBlockTypes[level] == UNetOptions.CrossAttentionDown)
            attentions = new ModuleList<Transformer2DModel>(layers.Select(_ => new Transformer2DModel(options, level, settings)).ToArray());
        resnets = new ModuleList<ResnetBlock2D>(layers.Select(layer => new ResnetBlock2D(
            layer == 0 ? previous : channels, channels, options.TimeEmbedDim, options.NormNumGroups, options.NormEps, settings)).ToArray());
        if (level < options.Levels - 1) downsamplers = new ModuleList<Downsample2D>(new Downsample2D(channels, padsAllSides: true));
        RegisterComponents();
    }

    /// <summary>Transformers that attend to the text.</summary>
    internal int Transformers => attentions?.Count ?? 0;

    /// <summary>Resnets and transformer blocks in the order in which they run.</summary>
    internal IEnumerable<nn.Module> Segments => UNetSegments.Of(resnets, attentions);

    /// <summary>[B, in, h, w] to [B, out, h/2, w/2] (rounded up; the last level keeps the size).</summary>
    /// <param name="hidden">The input.</param>
    /// <param name="timeEmbedding">[B, 4 · first level's channels].</param>
    /// <param name="context">[B, L, context width]; or one for each transformer of the block, [B, n, L, context width].</param>
    /// <param name="skips">Receives the skip connections; they belong to the scope around this call.</param>
    public override Tensor forward(Tensor hidden, Tensor timeEmbedding, Tensor context, Stack<Tensor> skips)
    {
        for (var layer = 0; layer < resnets.Count; layer++)
        {
            using var scope = NewDisposeScope();
            var (resnet, attention) = (resnets[layer], attentions?[layer]);
            hidden = _settings.Block(resnet, inputs => resnet.call(inputs[0], inputs[1]), hidden, timeEmbedding);
            if (attention is not null) hidden = attention.call(hidden, LayerContexts.At(context, layer));
            skips.Push(hidden.MoveToOuterDisposeScope());
        }

        if (downsamplers is not null)
        {
            hidden = downsamplers[0].call(hidden);
            skips.Push(hidden);
        }

        return hidden;
    }
}

/// <summary>The smallest resolution: resnet, transformer, resnet.</summary>
/// <remarks>diffusers' <c>UNetMidBlock2DCrossAttn</c>.</remarks>
internal sealed class UNetMidBlock2DCrossAttn : nn.Module<Tensor, Tensor, Tensor, Tensor>
{
    private readonly ModuleList<Transformer2DModel> attentions;
    private readonly ModuleList<ResnetBlock2D> resnets;
    private readonly ForwardSettings _settings;

    internal UNetMidBlock2DCrossAttn(UNetOptions options, ForwardSettings settings) : base(nameof(UNetMidBlock2DCrossAttn))
    {
        _settings = settings;
        var channels = options.BlockOutChannels[^1];
        attentions = new ModuleList<Transformer2DModel>(new Transformer2DModel(options, options.Levels - 1, settings));
        resnets = new ModuleList<ResnetBlock2D>(Enumerable.Range(0, 2).Select(_ => new ResnetBlock2D(
            channels, channels, options.TimeEmbedDim, options.NormNumGroups, options.NormEps, settings)).ToArray());
        RegisterComponents();
    }

    /// <summary>Resnets and transformer blocks in the order in which they run.</summary>
    internal IEnumerable<nn.Module> Segments => UNetSegments.Of(resnets, attentions);

    /// <summary>[B, C, h, w] to [B, C, h, w].</summary>
    public override Tensor forward(Tensor hidden, Tensor timeEmbedding, Tensor context)
    {
        using var scope = NewDisposeScope();
        hidden = _settings.Block(resnets[0], inputs => resnets[0].call(inputs[0], inputs[1]), hidden, timeEmbedding);
        hidden = attentions[0].call(hidden, LayerContexts.At(context, 0));
        hidden = _settings.Block(resnets[1], inputs => resnets[1].call(inputs[0], inputs[1]), hidden, timeEmbedding);
        return hidden.MoveToOuterDisposeScope();
    }
}

/// <summary>Resnets of one level, each taking a skip connection, each followed by a transformer if the level has them, then the way
/// up.</summary>
/// <remarks>diffusers' <c>CrossAttnUpBlock2D</c> and <c>UpBlock2D</c>.</remarks>
internal sealed class UNetUpBlock : nn.Module<Tensor, Tensor, Tensor, Stack<Tensor>, Tensor>
{
    private readonly ModuleList<Transformer2DModel>? attentions;
    private readonly ModuleList<ResnetBlock2D> resnets;
    private readonly ModuleList<Upsample2D>? upsamplers;
    private readonly ForwardSettings _settings;

    /// <summary>Creates the block.</summary>
    /// <param name="options">The architecture.</param>
    /// <param name="index">Counts from the smallest resolution up.</param>
    /// <param name="settings">The model's settings.</param>
    internal UNetUpBlock(UNetOptions options, int index, ForwardSettings settings) : base(options.UpBlockTypes[index])
    {
        _settings = settings;
        var level = options.Levels - 1 - index;
        var channels = options.BlockOutChannels[level];
        var previous = options.BlockOutChannels[Math.Min(options.Levels - 1, level + 1)];
        var above = options.BlockOutChannels[Math.Max(0, level - 1)];
        var layers = Enumerable.Range(0, options.LayersPerBlock + 1);
        if (options.UpBlockTypes[index] == UNetOptions.CrossAttentionUp)
            attentions = new ModuleList<Transformer2DModel>(layers.Select(_ => new Transformer2DModel(options, level, settings)).ToArray());
        // The last skip connection of a level is the result of the level above.
        resnets = new ModuleList<ResnetBlock2D>(layers.Select(layer => new ResnetBlock2D(
            (layer == 0 ? previous : channels) + (layer == options.LayersPerBlock ? above : channels),
            channels, options.TimeEmbedDim, options.NormNumGroups, options.NormEps, settings)).ToArray());
        if (index < options.Levels - 1) upsamplers = new ModuleList<Upsample2D>(new Upsample2D(channels));
        RegisterComponents();
    }

    /// <summary>Transformers that attend to the text.</summary>
    internal int Transformers => attentions?.Count ?? 0;

    /// <summary>Resnets and transformer blocks in the order in which they run.</summary>
    internal IEnumerable<nn.Module> Segments => UNetSegments.Of(resnets, attentions);

    /// <summary>[B, in, h, w] to [B, out, H, W], the size of the next skip connection (the last block keeps the size).</summary>
    /// <param name="hidden">The input.</param>
    /// <param name="timeEmbedding">[B, 4 · first level's channels].</param>
    /// <param name="context">[B, L, context width]; or one for each transformer of the block, [B, n, L, context width].</param>
    /// <param name="skips">The skip connections; this block's are taken off and let go.</param>
    public override Tensor forward(Tensor hidden, Tensor timeEmbedding, Tensor context, Stack<Tensor> skips)
    {
        using var outer = NewDisposeScope();
        for (var layer = 0; layer < resnets.Count; layer++)
        {
            using var scope = NewDisposeScope();
            var (resnet, attention) = (resnets[layer], attentions?[layer]);
            using var skip = skips.Pop();
            var joined = cat([hidden, skip], 1);
            hidden = _settings.Block(resnet, inputs => resnet.call(inputs[0], inputs[1]), joined, timeEmbedding);
            joined.Dispose();
            if (attention is not null) hidden = attention.call(hidden, LayerContexts.At(context, layer));
            hidden.MoveToOuterDisposeScope();
        }

        if (upsamplers is not null) hidden = upsamplers[0].call(hidden, skips.Peek().size(2), skips.Peek().size(3));
        return hidden.MoveToOuterDisposeScope();
    }
}

/// <summary>The pieces of a block that are checkpointed, and swapped, each by itself.</summary>
internal static class UNetSegments
{
    /// <summary>Each resnet, followed by the blocks of the transformer behind it.</summary>
    internal static IEnumerable<nn.Module> Of(ModuleList<ResnetBlock2D> resnets, ModuleList<Transformer2DModel>? attentions)
    {
        for (var layer = 0; layer < resnets.Count; layer++)
        {
            yield return resnets[layer];
            if (attentions is null || layer >= attentions.Count) continue;
            foreach (var block in attentions[layer].Blocks) yield return block;
        }
    }
}
