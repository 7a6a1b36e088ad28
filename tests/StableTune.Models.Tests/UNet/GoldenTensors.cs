using StableTune.Formats;
using StableTune.Testing;

namespace StableTune.Models.Tests;

/// <summary>Reference tensors of a fixture file, and comparisons with them.</summary>
internal sealed class GoldenTensors : IDisposable
{
    private readonly SafetensorsFile _file;

    internal GoldenTensors(params string[] parts) => _file = SafetensorsFile.Open(Fixtures.Path(parts));

    internal IEnumerable<string> Names => _file.Tensors.Select(info => info.Name);

    internal Tensor this[string name]
    {
        get
        {
            var info = _file[name];
            var loaded = empty([.. info.Shape], dtype: info.DType switch
            {
                TensorDType.F16 => ScalarType.Float16,
                TensorDType.I64 => ScalarType.Int64,
                TensorDType.F32 => ScalarType.Float32,
                _ => throw new NotSupportedException($"{name} is {info.DType}"),
            });
            _file.Read(info, loaded.bytes);
            return loaded;
        }
    }

    /// <summary>Every element within an absolute tolerance.</summary>
    internal void AssertClose(string name, Tensor actual, double tolerance)
    {
        using var scope = NewDisposeScope();
        Compare(name, this[name], actual, tolerance);
    }

    /// <summary>Every element within a tolerance that is a share of the reference tensor's largest absolute value.</summary>
    internal void AssertCloseToLargest(string name, Tensor actual, double share)
    {
        using var scope = NewDisposeScope();
        var expected = this[name];
        Compare(name, expected, actual, share * expected.abs().max().ToDouble());
    }

    internal static void Compare(string name, Tensor expected, Tensor actual, double tolerance)
    {
        using var scope = NewDisposeScope();
        Assert.True(expected.shape.SequenceEqual(actual.shape), $"{name}: shape [{string.Join(", ", actual.shape)}], not [{string.Join(", ", expected.shape)}]");
        var (wanted, found) = (expected.detach().to(ScalarType.Float64).flatten(), actual.detach().to(ScalarType.Float64).flatten());
        var difference = (wanted - found).abs();
        var index = difference.argmax().ToInt64();
        var largest = difference[index].ToDouble();
        // Written so that NaN fails.
        Assert.True(largest <= tolerance,
            $"{name}: largest difference {largest:G4} (allowed {tolerance:G4}) at flat index {index}: {found[index].ToDouble():G9}, not {wanted[index].ToDouble():G9}");
    }

    public void Dispose() => _file.Dispose();
}

/// <summary>Tiny models with the fixtures' weights.</summary>
internal static class TinyModels
{
    internal static UNet2DConditionModel UNet(UNetOptions? options = null, string model = "tiny-sd15")
    {
        var unet = Build(() => new UNet2DConditionModel(options ?? UNetOptions.Tiny));
        return Load(unet, "models", model, "unet", "diffusion_pytorch_model.safetensors");
    }

    internal static AutoencoderKL Vae(VaeOptions? options = null, string model = "tiny-sd15")
    {
        var vae = Build(() => new AutoencoderKL(options ?? VaeOptions.Tiny));
        return Load(vae, "models", model, "vae", "diffusion_pytorch_model.safetensors");
    }

    internal static T Build<T>(Func<T> create)
    {
        using var skip = LayerInitialization.Skip();
        return create();
    }

    private static T Load<T>(T module, params string[] parts) where T : nn.Module
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        using var weights = new GoldenTensors(parts);
        var own = module.state_dict();
        Assert.Equal(weights.Names.Order(StringComparer.Ordinal), own.Keys.Order(StringComparer.Ordinal));
        foreach (var (name, target) in own)
        {
            var values = weights[name];
            Assert.Equal(values.shape, target.shape);
            target.copy_(values);
        }

        return module;
    }
}
