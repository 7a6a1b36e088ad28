using StableTune.Torch;

namespace StableTune.Models;

/// <summary>
/// Makes new models with random weights, to be trained from nothing. Weights are drawn as diffusers and transformers draw them: layers of
/// UNet and VAE as PyTorch does by default, text encoders as CLIP's paper says.
/// </summary>
public static class ModelFactory
{
    /// <summary>CLIP's standard deviation of embeddings (<c>initializer_range</c>).</summary>
    private const double EmbeddingDeviation = 0.02;

    /// <summary>Makes a model.</summary>
    /// <param name="options">Architecture and seed; the same give the same weights.</param>
    /// <param name="device">Where the weights lie; null for the CPU. Drawn in host memory, so the device changes no number.</param>
    /// <returns>The model, frozen and in evaluation mode, as one that was loaded; the caller's to dispose.</returns>
    /// <exception cref="InvalidOptionsException">The options cannot work; the message lists every problem.</exception>
    public static StableDiffusionModel Create(NewModelOptions options, Device? device = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        InvalidOptionsException.ThrowIfAny(options.Validate());
        NativeBackend.Load();
        var seeds = new NamedSeeds(options.Seed);
        var made = new List<nn.Module>();
        try
        {
            return new StableDiffusionModel(new ModelComponents
            {
                UNet = Make("unet", () => new UNet2DConditionModel(options.UNet), DrawLayers),
                Vae = Make("vae", () => new AutoencoderKL(options.Vae), DrawLayers),
                TextEncoder = Make("text_encoder", () => new ClipTextModel(options.TextEncoder), DrawText),
                TextEncoder2 = options.TextEncoder2 is not { } second ? null
                    : Make("text_encoder_2", () => new ClipTextModel(second), DrawText),
                Tokenizer = Tokenizer(options, options.TextEncoder, options.UNet.UseLinearProjection && options.TextEncoder2 is null),
                Tokenizer2 = options.TextEncoder2 is { } other ? Tokenizer(options, other, isSd2: false).WithPadId(0) : null,
                Scheduler = options.Scheduler,
            });
        }
        catch
        {
            foreach (var module in made) module.Dispose();
            throw;
        }

        T Make<T>(string name, Func<T> build, Action<T, Generator> draw) where T : nn.Module
        {
            T module;
            using (LayerInitialization.Skip()) module = build();
            made.Add(module);
            using var random = new Generator(unchecked((ulong)seeds.For(name)));
            using (no_grad())
            using (NewDisposeScope())
                draw(module, random);
            if (device is not null && device.type != DeviceType.CPU) module.MoveTo(device);
            module.SetRequiresGrad(false);
            module.eval();
            return module;
        }
    }

    private static ClipTokenizer Tokenizer(NewModelOptions options, ClipTextOptions text, bool isSd2) => new(
        options.Vocabulary ?? (NewModelOptions.MergesOf(text) == ClipVocabulary.FullMergeCount ? ClipVocabulary.Full
            : ClipVocabulary.Embedded(NewModelOptions.MergesOf(text))), isSd2 ? "!" : ClipVocabulary.EndToken);

    /// <summary>PyTorch's defaults, layer by layer.</summary>
    private static void DrawLayers(nn.Module module, Generator random)
    {
        foreach (var (_, layer) in module.named_modules())
        {
            switch (layer)
            {
                case Linear linear: Uniform(linear.weight, linear.bias, random); break;
                case Conv2d convolution: Uniform(convolution.weight, convolution.bias, random); break;
                case GroupNorm norm: Plain(norm.weight, norm.bias); break;
                case LayerNorm norm: Plain(norm.weight, norm.bias); break;
                case Embedding embedding: embedding.weight.normal_(0, 1, random); break;
            }
        }
    }

    /// <summary>transformers' <c>CLIPTextModel</c>: normal weights whose deviation follows from width and depth, biases of 0.</summary>
    private static void DrawText(ClipTextModel encoder, Generator random)
    {
        var (width, layers) = ((double)encoder.Options.HiddenSize, encoder.Options.Layers);
        var into = 1 / Math.Sqrt(width * 2 * layers);
        foreach (var (name, layer) in encoder.named_modules())
        {
            switch (layer)
            {
                case Embedding embedding: embedding.weight.normal_(0, EmbeddingDeviation, random); break;
                case LayerNorm norm: Plain(norm.weight, norm.bias); break;
                case Linear linear:
                    linear.weight.normal_(0, Last(name) switch
                    {
                        "out_proj" or "text_projection" => 1 / Math.Sqrt(width),
                        "fc1" => 1 / Math.Sqrt(2 * width),
                        _ => into,
                    }, random);
                    linear.bias?.zero_();
                    break;
            }
        }
    }

    private static string Last(string name) => name[(name.LastIndexOf('.') + 1)..];

    private static void Uniform(Tensor weight, Tensor? bias, Generator random)
    {
        var bound = 1 / Math.Sqrt(weight.shape.Skip(1).Aggregate(1L, (product, size) => product * size));
        weight.uniform_(-bound, bound, random);
        bias?.uniform_(-bound, bound, random);
    }

    private static void Plain(Tensor? weight, Tensor? bias)
    {
        weight?.fill_(1);
        bias?.zero_();
    }
}
