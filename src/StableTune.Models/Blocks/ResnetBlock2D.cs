namespace StableTune.Models;

/// <summary>A residual block: x + conv2(silu(norm2(conv1(silu(norm1(x))) + time))), with a 1x1 shortcut where the channels
/// change.</summary>
/// <remarks>diffusers' <c>ResnetBlock2D</c>. Without a time embedding (VAE) it has no <c>time_emb_proj</c>.</remarks>
internal sealed class ResnetBlock2D : nn.Module<Tensor, Tensor?, Tensor>
{
    private readonly GroupNorm norm1;
    private readonly Conv2d conv1;
    private readonly Linear? time_emb_proj;
    private readonly GroupNorm norm2;
    private readonly Conv2d conv2;
    private readonly Conv2d? conv_shortcut;
    private readonly ForwardSettings _settings;

    /// <summary>Creates the block.</summary>
    /// <param name="inChannels">Channels of the input.</param>
    /// <param name="outChannels">Channels of the output.</param>
    /// <param name="timeEmbedDim">Width of the time embedding; 0 for none.</param>
    /// <param name="groups">Groups of both norms.</param>
    /// <param name="eps">Epsilon of both norms.</param>
    /// <param name="settings">The model's settings.</param>
    internal ResnetBlock2D(int inChannels, int outChannels, int timeEmbedDim, int groups, double eps, ForwardSettings settings)
        : base(nameof(ResnetBlock2D))
    {
        _settings = settings;
        norm1 = new GroupNorm(groups, inChannels, eps);
        conv1 = new Conv2d(inChannels, outChannels, 3, padding: 1);
        if (timeEmbedDim > 0) time_emb_proj = new Linear(timeEmbedDim, outChannels);
        norm2 = new GroupNorm(groups, outChannels, eps);
        conv2 = new Conv2d(outChannels, outChannels, 3, padding: 1);
        if (inChannels != outChannels) conv_shortcut = new Conv2d(inChannels, outChannels, 1);
        RegisterComponents();
    }

    /// <summary>[B, in, h, w] and the time embedding [B, timeEmbedDim] (null without one) to [B, out, h, w].</summary>
    public override Tensor forward(Tensor hidden, Tensor? timeEmbedding)
    {
        using var scope = NewDisposeScope();
        var output = _settings.NormSilu(norm1, hidden).Into(conv1);
        if (time_emb_proj is not null && timeEmbedding is not null)
            output.add_(time_emb_proj.call(nn.functional.silu(timeEmbedding)).unsqueeze(-1).unsqueeze(-1));
        var activated = _settings.NormSilu(norm2, output);
        output.Dispose();
        output = activated.Into(conv2);
        return output.add_(conv_shortcut is null ? hidden : conv_shortcut.call(hidden)).MoveToOuterDisposeScope();
    }
}
