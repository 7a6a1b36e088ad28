using System.Buffers.Binary;
using System.Text.Json;
using StableTune.Formats;
using StableTune.Models;

namespace StableTune.FullSize;

/// <summary>Writes model folders of true shapes with random weights: for measurements where no real model is at hand.</summary>
/// <remarks>
/// Streams: neither a module nor a file is held in memory. Weights are uniform with the variance 1 / (3 · inputs), as PyTorch's layers
/// start, norms are 1
/// and biases 0, so activations stay finite. The random numbers repeat every million, which no measurement sees.
/// </remarks>
internal sealed class RandomModel
{
    private const int BlockLength = 1 << 20;

    private readonly float[] _block = new float[BlockLength];
    private readonly TensorDType _type;

    private RandomModel(TensorDType type, ulong seed)
    {
        _type = type;
        for (var i = 0; i < _block.Length; i++)
        {
            // SplitMix64 (Steele et al. 2014); the upper 24 bits to -1..1.
            seed += 0x9E3779B97F4A7C15;
            var mixed = (seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9;
            mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
            _block[i] = ((mixed ^ (mixed >> 31)) >> 40) / (float)(1 << 23) - 1;
        }
    }

    /// <summary>Writes a Stable Diffusion 1.5: 860 million parameters in the UNet, 84 in the VAE, 123 in the text encoder.</summary>
    /// <param name="folder">The model folder; created when missing.</param>
    /// <param name="type">F32 (4.3 GB), F16 or BF16 (2.1 GB).</param>
    /// <param name="seed">What the weights are drawn from.</param>
    public static void WriteSd15(string folder, TensorDType type = TensorDType.F32, ulong seed = 0) =>
        Write(folder, UNetOptions.Sd15, VaeOptions.Sd15, [ClipTextOptions.Sd15], type, seed);

    /// <summary>Writes a Stable Diffusion XL: 2.57 billion parameters in the UNet, 84 million in the VAE, 123 and 695 in the text
    /// encoders.</summary>
    /// <param name="folder">The model folder; created when missing.</param>
    /// <param name="type">F32 (13.9 GB), F16 or BF16 (6.9 GB).</param>
    /// <param name="seed">What the weights are drawn from.</param>
    public static void WriteSdxl(string folder, TensorDType type = TensorDType.F16, ulong seed = 0) =>
        Write(folder, UNetOptions.Sdxl, VaeOptions.Sdxl, [ClipTextOptions.Sd15, ClipTextOptions.SdxlSecond], type, seed);

    /// <summary>Writes a narrow model of the same forms, a hundred times smaller, to try the measurements with.</summary>
    /// <param name="folder">The model folder; created when missing.</param>
    /// <param name="sdxl">Whether of SDXL, otherwise of SD 1.5.</param>
    /// <param name="type">F32, F16 or BF16.</param>
    public static void WriteSmall(string folder, bool sdxl, TensorDType type = TensorDType.F16)
    {
        var text = ClipTextOptions.Sd15 with { Layers = 2 };
        var vae = VaeOptions.Sd15 with { BlockOutChannels = [32, 32, 64, 64] };
        if (sdxl)
            Write(folder, UNetOptions.Sdxl with { BlockOutChannels = [64, 128, 256], AttentionHeads = [1, 2, 4] },
            vae with { ScalingFactor = VaeOptions.Sdxl.ScalingFactor }, [text, ClipTextOptions.SdxlSecond with { Layers = 2 }], type);
        else Write(folder, UNetOptions.Sd15 with { BlockOutChannels = [64, 128, 256, 256] }, vae, [text], type);
    }

    /// <summary>Writes a model of any architecture.</summary>
    /// <param name="folder">The model folder; created when missing.</param>
    /// <param name="unet">The UNet's architecture.</param>
    /// <param name="vae">The VAE's architecture.</param>
    /// <param name="texts">The text encoders' architectures, one or two; the vocabulary decides how many merges the tokenizer has.</param>
    /// <param name="type">F32, F16 or BF16.</param>
    /// <param name="seed">What the weights are drawn from.</param>
    public static void Write(string folder, UNetOptions unet, VaeOptions vae, ClipTextOptions[] texts, TensorDType type = TensorDType.F32,
        ulong seed = 0)
    {
        if (type is not (TensorDType.F32 or TensorDType.F16 or TensorDType.BF16))
            throw new ArgumentOutOfRangeException(nameof(type), type, "Use F32, F16 or BF16.");
        var writer = new RandomModel(type, seed);
        writer.Weights(Path.Combine(folder, "unet", "diffusion_pytorch_model.safetensors"), () => new UNet2DConditionModel(unet));
        writer.Weights(Path.Combine(folder, "vae", "diffusion_pytorch_model.safetensors"), () => new AutoencoderKL(vae));
        Json(Path.Combine(folder, "unet", "config.json"), Config(unet));
        Json(Path.Combine(folder, "vae", "config.json"), Config(vae));
        foreach (var (text, suffix) in texts.Zip(["", "_2"]))
        {
            writer.Weights(Path.Combine(folder, "text_encoder" + suffix, "model.safetensors"), () => new ClipTextModel(text));
            Json(Path.Combine(folder, "text_encoder" + suffix, "config.json"), Config(text));
            ClipVocabulary.WriteFiles(Path.Combine(folder, "tokenizer" + suffix), text.VocabularySize - 514);
        }

        Json(Path.Combine(folder, "scheduler", "scheduler_config.json"), Config(SchedulerOptions.Sd15));
        Json(Path.Combine(folder, "model_index.json"), Index(texts.Length == 2));
    }

    private static Dictionary<string, object?> Index(bool sdxl)
    {
        var index = new Dictionary<string, object?>
        {
            ["_class_name"] = sdxl ? "StableDiffusionXLPipeline" : "StableDiffusionPipeline",
            ["scheduler"] = new[] { "diffusers", "PNDMScheduler" },
            ["text_encoder"] = new[] { "transformers", "CLIPTextModel" },
            ["tokenizer"] = new[] { "transformers", "CLIPTokenizer" },
            ["unet"] = new[] { "diffusers", "UNet2DConditionModel" },
            ["vae"] = new[] { "diffusers", "AutoencoderKL" },
        };
        if (!sdxl) return index.Append(new("requires_safety_checker", false)).ToDictionary();
        index["text_encoder_2"] = new[] { "transformers", "CLIPTextModelWithProjection" };
        index["tokenizer_2"] = new[] { "transformers", "CLIPTokenizer" };
        return index;
    }

    private static Dictionary<string, object?> Config(UNetOptions unet) => new()
    {
        ["_class_name"] = "UNet2DConditionModel",
        ["in_channels"] = unet.InChannels,
        ["out_channels"] = unet.OutChannels,
        ["sample_size"] = unet.SampleSize,
        ["block_out_channels"] = unet.BlockOutChannels,
        ["layers_per_block"] = unet.LayersPerBlock,
        ["attention_head_dim"] = unet.AttentionHeads,
        ["transformer_layers_per_block"] = unet.TransformerLayersPerBlock,
        ["cross_attention_dim"] = unet.CrossAttentionDim,
        ["down_block_types"] = unet.DownBlockTypes,
        ["up_block_types"] = unet.UpBlockTypes,
        ["use_linear_projection"] = unet.UseLinearProjection,
        ["upcast_attention"] = unet.UpcastAttention,
        ["norm_num_groups"] = unet.NormNumGroups,
        ["norm_eps"] = unet.NormEps,
        ["addition_embed_type"] = unet.AdditionEmbedType,
        ["addition_time_embed_dim"] = unet.AdditionTimeEmbedDim,
        ["projection_class_embeddings_input_dim"] = unet.ProjectionClassEmbeddingsInputDim,
    };

    private static Dictionary<string, object?> Config(VaeOptions vae) => new()
    {
        ["_class_name"] = "AutoencoderKL",
        ["in_channels"] = vae.InChannels,
        ["out_channels"] = vae.OutChannels,
        ["latent_channels"] = vae.LatentChannels,
        ["block_out_channels"] = vae.BlockOutChannels,
        ["layers_per_block"] = vae.LayersPerBlock,
        ["norm_num_groups"] = vae.NormNumGroups,
        ["sample_size"] = vae.SampleSize,
        ["scaling_factor"] = vae.ScalingFactor,
    };

    private static Dictionary<string, object?> Config(ClipTextOptions text) => new()
    {
        ["architectures"] = new[] { text.ProjectionDim is null ? "CLIPTextModel" : "CLIPTextModelWithProjection" },
        ["projection_dim"] = text.ProjectionDim,
        ["vocab_size"] = text.VocabularySize,
        ["hidden_size"] = text.HiddenSize,
        ["intermediate_size"] = text.IntermediateSize,
        ["num_hidden_layers"] = text.Layers,
        ["num_attention_heads"] = text.Heads,
        ["max_position_embeddings"] = text.MaxPositions,
        ["hidden_act"] = text.Activation,
        ["layer_norm_eps"] = text.LayerNormEps,
        ["eos_token_id"] = text.EndTokenId,
    };

    private static Dictionary<string, object?> Config(SchedulerOptions scheduler) => new()
    {
        ["_class_name"] = scheduler.ClassName,
        ["num_train_timesteps"] = scheduler.TrainTimesteps,
        ["beta_start"] = scheduler.BetaStart,
        ["beta_end"] = scheduler.BetaEnd,
        ["beta_schedule"] = scheduler.BetaSchedule,
        ["prediction_type"] = scheduler.Prediction.Name(),
        ["steps_offset"] = scheduler.StepsOffset,
    };

    private static void Json(string path, Dictionary<string, object?> values) =>
        AtomicFile.WriteText(path, JsonSerializer.Serialize(values));

    private void Weights(string path, Func<nn.Module> build)
    {
        List<(string Name, long[] Shape)> shapes;
        using (var scope = NewDisposeScope())
        using (LayerInitialization.Skip())
        using (var module = build())
            shapes = [.. module.named_parameters().Select(entry => (entry.name, entry.parameter.shape))];
        SafetensorsWriter.Write(path, shapes.Select(entry =>
            new TensorPayload(entry.Name, _type, entry.Shape, stream => Fill(stream, entry.Name, entry.Shape))));
    }

    private void Fill(Stream stream, string name, long[] shape)
    {
        var count = shape.Aggregate(1L, (product, size) => product * size);
        var inputs = Math.Max(1, count / shape[0]);
        var isVector = shape.Length == 1;
        var (factor, offset) = isVector ? (0f, name.EndsWith("weight", StringComparison.Ordinal) ? 1f : 0f)
            : name.Contains("embedding.weight", StringComparison.Ordinal) ? (0.02f, 0f) : ((float)(1 / Math.Sqrt(inputs)), 0f);
        var bytes = Encode((int)Math.Min(count, BlockLength), factor, offset);
        for (var left = count * _type.Size(); left > 0; left -= bytes.Length) stream.Write(bytes, 0, (int)Math.Min(left, bytes.Length));
    }

    private byte[] Encode(int count, float factor, float offset)
    {
        var bytes = new byte[count * _type.Size()];
        for (var i = 0; i < count; i++)
        {
            var value = _block[i] * factor + offset;
            var place = bytes.AsSpan(i * _type.Size());
            if (_type == TensorDType.F32) BinaryPrimitives.WriteSingleLittleEndian(place, value);
            else if (_type == TensorDType.F16) BinaryPrimitives.WriteHalfLittleEndian(place, (Half)value);
            else BinaryPrimitives.WriteUInt16LittleEndian(place, (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16));
        }

        return bytes;
    }
}
