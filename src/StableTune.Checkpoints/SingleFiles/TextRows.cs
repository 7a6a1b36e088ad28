using StableTune.Models;

namespace StableTune.Checkpoints;

/// <summary>The text encoders' tables.</summary>
internal static class TextRows
{
    /// <summary>What CLIP encoders hold in files and modules have no use for.</summary>
    public static readonly string[] ClipUnused = ["text_model.embeddings.position_ids", "embeddings.position_ids"];

    // A layer of OpenCLIP, in transformers and in OpenCLIP.
    private static readonly LayoutRow[] OpenClipLayer =
    [
        new("layer_norm1", "ln_1"),
        new("layer_norm2", "ln_2"),
        new("mlp.fc1", "mlp.c_fc"),
        new("mlp.fc2", "mlp.c_proj"),
        new("self_attn.q_proj.weight", "attn.in_proj_weight", TensorForm.Queries),
        new("self_attn.q_proj.bias", "attn.in_proj_bias", TensorForm.Queries),
        new("self_attn.k_proj.weight", "attn.in_proj_weight", TensorForm.Keys),
        new("self_attn.k_proj.bias", "attn.in_proj_bias", TensorForm.Keys),
        new("self_attn.v_proj.weight", "attn.in_proj_weight", TensorForm.Values),
        new("self_attn.v_proj.bias", "attn.in_proj_bias", TensorForm.Values),
        new("self_attn.out_proj", "attn.out_proj"),
    ];

    // What lies directly in the text model: files without its name are older than transformers 4.0's rename, or newer than 5.0's.
    private static readonly string[] InTextModel = ["embeddings", "encoder", "final_layer_norm"];

    /// <summary>CLIP under transformers' names, without prefix.</summary>
    public static IEnumerable<LayoutRow> Clip() =>
    [
        .. InTextModel.Select(name => new LayoutRow($"text_model.{name}", $"text_model.{name}")),
        .. InTextModel.Select(name => new LayoutRow($"text_model.{name}", name, Use: LayoutUse.Reading)),
        .. InTextModel.Select(name => new LayoutRow(name, $"text_model.{name}", Use: LayoutUse.Writing)),
    ];

    /// <summary>OpenCLIP, without prefix.</summary>
    public static IEnumerable<LayoutRow> OpenClip(ClipTextOptions options)
    {
        LayoutRow[] rows =
        [
            new("embeddings.token_embedding", "token_embedding"),
            new("embeddings.position_embedding.weight", "positional_embedding"),
            new("final_layer_norm", "ln_final"),
            .. Enumerable.Range(0, options.Layers).SelectMany(layer => OpenClipLayer.Select(row =>
                row with { Module = $"encoder.layers.{layer}.{row.Module}", File = $"transformer.resblocks.{layer}.{row.File}" })),
        ];
        foreach (var row in rows)
        {
            yield return row with { Module = $"text_model.{row.Module}" };
            yield return row with { Use = LayoutUse.Writing };      // as transformers 5 names it
        }

        if (options.ProjectionDim is not null) yield return new("text_projection.weight", "text_projection", TensorForm.Transposed);
    }

    /// <summary>What OpenCLIP encoders hold in files and modules have no use for.</summary>
    public static string[] OpenClipUnused(ClipTextOptions options) => options.ProjectionDim is null
        ? [$"transformer.resblocks.{options.Layers}", "text_projection", "logit_scale", "attn_mask"]
        : ["logit_scale", "attn_mask"];

    /// <summary>What text encoders hold in diffusers' files and checkpoints have no use for, or make anew.</summary>
    public static string[] UnusedInModule(ClipTextOptions options) =>
        ["text_model.embeddings.position_ids", "embeddings.position_ids", "logit_scale",
            .. options.ProjectionDim is null ? ["text_projection.weight"] : Array.Empty<string>()];
}
