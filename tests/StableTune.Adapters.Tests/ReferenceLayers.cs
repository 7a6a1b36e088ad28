namespace StableTune.Adapters.Tests;

/// <summary>The frozen layers of the fixture networks/base.safetensors.</summary>
internal static class ReferenceLayers
{
    public static nn.Module<Tensor, Tensor> Make(Golden golden, string module)
    {
        var weight = golden[$"{module}/weight"];
        var (width, input) = (weight.shape[0], weight.shape[^1]);
        nn.Module<Tensor, Tensor> layer = module switch
        {
            "linear" => new Linear(input, width),
            "linear_nobias" => new Linear(input, width, hasBias: false),
            "layernorm" => new LayerNorm(width),
            "groupnorm" => new GroupNorm(4, width),
            "conv1" => new Conv2d(weight.shape[1], width, 1),
            "conv3" => new Conv2d(weight.shape[1], width, 3, padding: 1),
            "conv3s2" => new Conv2d(weight.shape[1], width, 3, stride: 2, padding: 1),
            _ => throw new ArgumentOutOfRangeException(nameof(module)),
        };
        var tensors = new Dictionary<string, Tensor> { ["weight"] = weight };
        if (golden.Contains($"{module}/bias")) tensors.Add("bias", golden[$"{module}/bias"]);
        layer.load_state_dict(tensors);
        layer.SetRequiresGrad(false);
        return layer;
    }
}
