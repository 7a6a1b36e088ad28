using TorchSharp.Modules;

namespace StableTune.Models;

/// <summary>Attention over all places of a feature map with a single head, normalised before and added to its input.</summary>
/// <remarks>diffusers' <c>Attention</c> as the VAE uses it; formerly <c>AttentionBlock</c> with other parameter names.</remarks>
internal sealed class VaeAttention : nn.Module<Tensor, Tensor>
{
    private readonly GroupNorm group_norm;
    private readonly Linear to_q;
    private readonly Linear to_k;
    private readonly Linear to_v;
    private readonly ModuleList<nn.Module<Tensor, Tensor>> to_out;
    private readonly ForwardSettings _settings;

    internal VaeAttention(int channels, int groups, ForwardSettings settings) : base(nameof(VaeAttention))
    {
        _settings = settings;
        group_norm = new GroupNorm(groups, channels, VaeBlock.Eps);
        to_q = new Linear(channels, channels);
        to_k = new Linear(channels, channels);
        to_v = new Linear(channels, channels);
        to_out = new ModuleList<nn.Module<Tensor, Tensor>>(new Linear(channels, channels));
        RegisterComponents();
    }

    /// <summary>[B, C, h, w] to [B, C, h, w].</summary>
    public override Tensor forward(Tensor hidden)
    {
        using var scope = NewDisposeScope();
        var tokens = _settings.Norm(group_norm, hidden).flatten(2).transpose(1, 2);   // [B, h·w, C]
        var (q, k, v) = (to_q.call(tokens), to_k.call(tokens), to_v.call(tokens));
        var attended = Heads.Attend(_settings.Attention, q, k, v, heads: 1, upcast: false).Into(to_out[0]);
        return attended.transpose(1, 2).reshape(hidden.shape).add_(hidden).MoveToOuterDisposeScope();
    }
}

/// <summary>What the encoder's, the decoder's and the middle blocks share.</summary>
internal static class VaeBlock
{
    /// <summary>Epsilon of every group norm in the VAE.</summary>
    internal const double Eps = 1e-6;

    /// <summary>Resnets without a time embedding, the first one changing the channels.</summary>
    internal static ModuleList<ResnetBlock2D> Resnets(int count, int inChannels, int channels, int groups, ForwardSettings settings) =>
        new(Enumerable.Range(0, count)
            .Select(layer => new ResnetBlock2D(layer == 0 ? inChannels : channels, channels, 0, groups, Eps, settings)).ToArray());

    /// <summary>A resnet as a step, checkpointed if the model is.</summary>
    internal static Func<Tensor, Tensor> Step(this ForwardSettings settings, ResnetBlock2D resnet) =>
        hidden => settings.Block(resnet, inputs => resnet.call(inputs[0], null), hidden);
}

/// <summary>The smallest resolution of encoder and decoder: resnet, attention, resnet.</summary>
/// <remarks>diffusers' <c>UNetMidBlock2D</c>.</remarks>
internal sealed class UNetMidBlock2D : nn.Module<Tensor, Tensor>
{
    private readonly ModuleList<VaeAttention> attentions;
    private readonly ModuleList<ResnetBlock2D> resnets;
    private readonly ForwardSettings _settings;

    internal UNetMidBlock2D(int channels, int groups, ForwardSettings settings) : base(nameof(UNetMidBlock2D))
    {
        _settings = settings;
        attentions = new ModuleList<VaeAttention>(new VaeAttention(channels, groups, settings));
        resnets = VaeBlock.Resnets(2, channels, channels, groups, settings);
        RegisterComponents();
    }

    /// <summary>[B, C, h, w] to [B, C, h, w].</summary>
    public override Tensor forward(Tensor hidden)
    {
        using var scope = NewDisposeScope();
        return hidden.Through([_settings.Step(resnets[0]), attentions[0].call, _settings.Step(resnets[1])]).MoveToOuterDisposeScope();
    }
}

/// <summary>Resnets of one level of the encoder, then the way down.</summary>
/// <remarks>diffusers' <c>DownEncoderBlock2D</c>.</remarks>
internal sealed class DownEncoderBlock2D : nn.Module<Tensor, Tensor>
{
    private readonly ModuleList<ResnetBlock2D> resnets;
    private readonly ModuleList<Downsample2D>? downsamplers;
    private readonly ForwardSettings _settings;

    internal DownEncoderBlock2D(VaeOptions options, int level, ForwardSettings settings) : base(nameof(DownEncoderBlock2D))
    {
        _settings = settings;
        var channels = options.BlockOutChannels[level];
        resnets = VaeBlock.Resnets(
            options.LayersPerBlock, options.BlockOutChannels[Math.Max(0, level - 1)], channels, options.NormNumGroups, settings);
        if (level < options.BlockOutChannels.Count - 1)
            downsamplers = new ModuleList<Downsample2D>(new Downsample2D(channels, padsAllSides: false));
        RegisterComponents();
    }

    /// <summary>[B, in, h, w] to [B, out, h/2, w/2]; the last level keeps the size.</summary>
    public override Tensor forward(Tensor hidden)
    {
        using var scope = NewDisposeScope();
        var steps = resnets.Select(_settings.Step);
        if (downsamplers is not null) steps = steps.Append(downsamplers[0].call);
        return hidden.Through(steps).MoveToOuterDisposeScope();
    }
}

/// <summary>Resnets of one level of the decoder, then the way up.</summary>
/// <remarks>diffusers' <c>UpDecoderBlock2D</c>.</remarks>
internal sealed class UpDecoderBlock2D : nn.Module<Tensor, Tensor>
{
    private readonly ModuleList<ResnetBlock2D> resnets;
    private readonly ModuleList<Upsample2D>? upsamplers;
    private readonly ForwardSettings _settings;

    /// <summary>Creates the block.</summary>
    /// <param name="options">The architecture.</param>
    /// <param name="index">Counts from the smallest resolution up.</param>
    /// <param name="settings">The model's settings.</param>
    internal UpDecoderBlock2D(VaeOptions options, int index, ForwardSettings settings) : base(nameof(UpDecoderBlock2D))
    {
        _settings = settings;
        var last = options.BlockOutChannels.Count - 1;
        var channels = options.BlockOutChannels[last - index];
        resnets = VaeBlock.Resnets(
            options.LayersPerBlock + 1, options.BlockOutChannels[Math.Min(last, last - index + 1)], channels, options.NormNumGroups,
                settings);
        if (index < last) upsamplers = new ModuleList<Upsample2D>(new Upsample2D(channels));
        RegisterComponents();
    }

    /// <summary>[B, in, h, w] to [B, out, 2h, 2w]; the last block keeps the size.</summary>
    public override Tensor forward(Tensor hidden)
    {
        using var scope = NewDisposeScope();
        var steps = resnets.Select(_settings.Step);
        if (upsamplers is not null) steps = steps.Append(x => upsamplers[0].call(x, 2 * x.size(2), 2 * x.size(3)));
        return hidden.Through(steps).MoveToOuterDisposeScope();
    }
}
