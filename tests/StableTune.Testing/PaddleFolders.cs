using System.Text;
using System.Text.Json.Nodes;
using StableTune.Formats;

namespace StableTune.Testing;

/// <summary>Rewrites model folders of diffusers as ppdiffusers has them.</summary>
public static class PaddleFolders
{
    private static readonly Dictionary<TensorDType, string> Types = new()
    {
        [TensorDType.F32] = "f4", [TensorDType.F16] = "f2", [TensorDType.BF16] = "u2", [TensorDType.I64] = "i8",
    };

    private static readonly (string Ours, string Theirs)[] TextNames =
    [
        ("text_model.embeddings.token_embedding.", "text_model.token_embedding."),
        ("text_model.embeddings.position_embedding.", "text_model.positional_embedding."),
        ("text_model.encoder.", "text_model.transformer."), ("text_model.final_layer_norm.", "text_model.ln_final."),
        (".mlp.fc1.", ".linear1."), (".mlp.fc2.", ".linear2."), (".layer_norm1.", ".norm1."), (".layer_norm2.", ".norm2."),
    ];

    /// <summary>Changes the folder in place: <c>model_state.pdparams</c> for all weights, and PaddleNLP's names and configuration for the
    /// text encoder.</summary>
    /// <param name="model">A folder of diffusers with one CLIP text encoder.</param>
    /// <param name="oldText">Whether the text encoder is as PaddleNLP's first versions write it.</param>
    public static void Convert(string model, bool oldText = true)
    {
        var parts = new[] { ("unet", "diffusion_pytorch_model"), ("vae", "diffusion_pytorch_model"), ("text_encoder", "model") };
        foreach (var (part, name) in parts)
        {
            var old = oldText && part == "text_encoder";
            var safe = Path.Combine(model, part, name + ".safetensors");
            WriteWeights(safe, Path.Combine(model, part, "model_state.pdparams"), old ? Theirs : name => name);
            File.Delete(safe);
            if (old) WriteTextConfig(Path.Combine(model, part));
        }

        var index = Path.Combine(model, "model_index.json");
        var text = File.ReadAllText(index).Replace("_diffusers_version", "_ppdiffusers_version", StringComparison.Ordinal)
            .Replace("\"diffusers\"", "\"ppdiffusers\"", StringComparison.Ordinal)
            .Replace("\"transformers\"", "\"paddlenlp.transformers\"", StringComparison.Ordinal);
        File.WriteAllText(index, text);
    }

    private static string Theirs(string name)
    {
        foreach (var (ours, theirs) in TextNames) name = name.Replace(ours, theirs, StringComparison.Ordinal);
        return name;
    }

    private static void WriteTextConfig(string folder)
    {
        var path = Path.Combine(folder, "config.json");
        var config = JsonNode.Parse(File.ReadAllText(path))!;
        JsonNode Of(string key) => config[key]!.DeepClone();
        var arguments = new JsonObject
        {
            ["max_text_length"] = Of("max_position_embeddings"), ["vocab_size"] = Of("vocab_size"), ["text_embed_dim"] = Of("hidden_size"),
            ["text_heads"] = Of("num_attention_heads"), ["text_layers"] = Of("num_hidden_layers"), ["text_hidden_act"] = Of("hidden_act"),
            ["projection_dim"] = Of("hidden_size"), ["initializer_range"] = 0.02, ["init_class"] = "CLIPTextTransformer",
        };
        File.WriteAllText(Path.Combine(folder, "model_config.json"),
            new JsonObject { ["init_args"] = new JsonArray(arguments), ["init_class"] = "CLIPTextModel" }.ToJsonString());
        File.Delete(path);
    }

    /// <summary>A pickle of NumPy arrays, weights of linear layers [in, out].</summary>
    private static void WriteWeights(string from, string to, Func<string, string> rename)
    {
        using var file = SafetensorsFile.Open(from);
        using var stream = File.Create(to);
        Write(stream, "\u0080\u0004}(");
        foreach (var info in file.Tensors)
        {
            var bytes = file.Span(info.Name).ToArray();
            var shape = info.Shape.ToArray();
            if (shape.Length == 2 && !info.Name.Contains("_embedding.weight", StringComparison.Ordinal))
            {
                bytes = Turned(bytes, (int)shape[0], (int)shape[1], info.DType.Size());
                Array.Reverse(shape);
            }

            WriteText(stream, rename(info.Name));
            Write(stream, "cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\u0000\u0085C\u0001b\u0087R(K\u0001(");
            foreach (var size in shape) Number(stream, 'J', (int)size);
            Write(stream, "tcnumpy\ndtype\n");
            WriteText(stream, Types[info.DType]);
            Write(stream, "\u0089\u0088\u0087R(K\u0003");
            WriteText(stream, "<");
            Write(stream, "NNNJ\u00ff\u00ff\u00ff\u00ffJ\u00ff\u00ff\u00ff\u00ffK\u0000tb\u0089");
            Number(stream, 'B', bytes.Length);
            stream.Write(bytes);
            Write(stream, "tb");
        }

        Write(stream, "u.");
    }

    private static byte[] Turned(byte[] bytes, int rows, int columns, int size)
    {
        var turned = new byte[bytes.Length];
        for (var i = 0; i < rows * columns; i++)
            bytes.AsSpan(i * size, size).CopyTo(turned.AsSpan(((i % columns * rows) + (i / columns)) * size));
        return turned;
    }

    private static void Write(Stream stream, string latin1) => stream.Write(Encoding.Latin1.GetBytes(latin1));

    private static void WriteText(Stream stream, string text)
    {
        Number(stream, 'X', text.Length);
        Write(stream, text);
    }

    private static void Number(Stream stream, char code, int number)
    {
        stream.WriteByte((byte)code);
        stream.Write(BitConverter.GetBytes(number));
    }
}
