namespace StableTune.Adapters.Tests;

/// <summary>The frozen layers of the fixture networks/base.safetensors.</summary>
internal static class ReferenceLayers
{
    public static nn.Module<Tensor, Tensor> Make(Golden golden, string module)
    {
        var weight = golden[$"{module}/weight"];
        var (width, input) = (weight.shape[0], weight.shape[1]);
        nn.Module<Tensor, Tensor> layer = module switch
        {
            "linear" => new Linear(input, width),
            "conv1" => new Conv2d(input, width, 1),
            "conv3" => new Conv2d(input, width, 3, padding: 1),
            "conv3s2" => new Conv2d(input, width, 3, stride: 2, padding: 1),
            _ => throw new ArgumentOutOfRangeException(nameof(module)),
        };
        layer.load_state_dict(new Dictionary<string, Tensor> { ["weight"] = weight, ["bias"] = golden[$"{module}/bias"] });
        layer.SetRequiresGrad(false);
        return layer;
    }
}
