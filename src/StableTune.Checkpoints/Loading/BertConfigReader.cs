using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>Reads the configurations of text encoders that are not CLIP. Missing keys have the defaults of transformers and
/// diffusers.</summary>
internal static class BertConfigReader
{
    /// <summary><c>config.json</c> of a <c>BertModel</c>.</summary>
    /// <exception cref="InvalidFileException">A value has the wrong type, is not supported, or does not fit the others.</exception>
    public static BertTextOptions Bert(ConfigFile config) => Read(config, padToken: 0, positionsFollowPadding: false);

    /// <summary><c>config.json</c> of a <c>RobertaModel</c> or <c>XLMRobertaModel</c>.</summary>
    /// <exception cref="InvalidFileException">As for <see cref="Bert"/>.</exception>
    public static BertTextOptions Roberta(ConfigFile config) => Read(config, padToken: 1, positionsFollowPadding: true);

    /// <summary><c>config.json</c> of an <c>LDMBertModel</c>.</summary>
    /// <exception cref="InvalidFileException">As for <see cref="Bert"/>.</exception>
    public static LdmBertOptions LdmBert(ConfigFile config)
    {
        config.RequireOneOf("scale_embedding", "false");
        return config.Checked(new LdmBertOptions
        {
            VocabularySize = config.Int("vocab_size", 30_522),
            HiddenSize = config.Int("d_model", 1280),
            IntermediateSize = config.Int("encoder_ffn_dim", 5120),
            Layers = config.Int("encoder_layers", 32),
            Heads = config.Int("encoder_attention_heads", 8),
            HeadSize = config.Int("head_dim", 64),
            MaxPositions = config.Int("max_position_embeddings", 77),
            Activation = config.Text("activation_function") ?? "gelu",
            PadTokenId = config.Int("pad_token_id", 0),
            UseAttentionMask = config.Bool("use_attention_mask", false),
        });
    }

    private static BertTextOptions Read(ConfigFile config, int padToken, bool positionsFollowPadding)
    {
        // What would change the computation, with the values that do not.
        config.RequireOneOf("position_embedding_type", "\"absolute\"", "null");
        config.RequireOneOf("is_decoder", "false");
        config.RequireOneOf("add_cross_attention", "false");
        return config.Checked(new BertTextOptions
        {
            VocabularySize = config.Int("vocab_size", 30_522),
            HiddenSize = config.Int("hidden_size", 768),
            IntermediateSize = config.Int("intermediate_size", 3072),
            Layers = config.Int("num_hidden_layers", 12),
            Heads = config.Int("num_attention_heads", 12),
            PositionRows = config.Int("max_position_embeddings", 512),
            TypeVocabularySize = config.Int("type_vocab_size", 2),
            Activation = config.Text("hidden_act") ?? "gelu",
            LayerNormEps = config.Double("layer_norm_eps", 1e-12),
            PadTokenId = config.Int("pad_token_id", padToken),
            PositionsFollowPadding = positionsFollowPadding,
            UseAttentionMask = config.Bool("use_attention_mask", false),
        });
    }
}
