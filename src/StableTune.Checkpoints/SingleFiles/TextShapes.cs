using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>Finds out a text encoder's architecture from the shapes in a checkpoint.</summary>
internal static class TextShapes
{
    /// <summary>Channels of a head in all published encoders.</summary>
    private const int HeadChannels = 64;

    /// <summary>Layers of ViT-H/14 that SD 2.x uses, of 24.</summary>
    private const int Sd2Layers = 23;

    /// <summary>CLIP under transformers' names; older files lack <c>text_model</c>.</summary>
    /// <param name="keys">What lies below the encoder's prefix.</param>
    /// <exception cref="InvalidFileException">Tensors are missing.</exception>
    public static ClipTextOptions Clip(CheckpointKeys keys)
    {
        var inside = keys.HasModule("text_model.embeddings") ? "text_model." : "";
        var width = keys.Size($"{inside}embeddings.token_embedding.weight", 1);
        return new ClipTextOptions
        {
            VocabularySize = keys.Size($"{inside}embeddings.token_embedding.weight", 0),
            HiddenSize = width,
            IntermediateSize = keys.Size($"{inside}encoder.layers.0.mlp.fc1.weight", 0),
            Layers = keys.Count($"{inside}encoder.layers"),
            Heads = Heads(keys, width),
            MaxPositions = keys.Size($"{inside}embeddings.position_embedding.weight", 0),
        };
    }

    /// <summary>OpenCLIP: SD 2.x without its last layer, or SDXL's second encoder with its projection.</summary>
    /// <param name="keys">What lies below the encoder's prefix.</param>
    /// <param name="projected">Whether it is SDXL's.</param>
    /// <exception cref="InvalidFileException">Tensors are missing.</exception>
    public static ClipTextOptions OpenClip(CheckpointKeys keys, bool projected)
    {
        var width = keys.Size("token_embedding.weight", 1);
        var layers = keys.Count("transformer.resblocks");
        return new ClipTextOptions
        {
            VocabularySize = keys.Size("token_embedding.weight", 0),
            HiddenSize = width,
            IntermediateSize = keys.Size("transformer.resblocks.0.mlp.c_fc.weight", 0),
            // Some pruned files lack the layer that is not used.
            Layers = projected || layers == Sd2Layers ? layers : layers - 1,
            Heads = Heads(keys, width),
            MaxPositions = keys.Size("positional_embedding", 0),
            Activation = "gelu",
            ProjectionDim = projected ? keys.Size("text_projection", 1) : null,
        };
    }

    private static int Heads(CheckpointKeys keys, int width) =>
        width % HeadChannels == 0 ? width / HeadChannels : throw new InvalidFileException(
        keys.Path, $"the text encoder is {width} wide, which makes no heads of {HeadChannels}.",
        "Tell its heads by the option ConfigurationPath: a folder with text_encoder/config.json.");
}
