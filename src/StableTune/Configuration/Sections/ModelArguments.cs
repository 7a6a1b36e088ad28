using StableTune.Checkpoints;
using StableTune.Models;
using StableTune.Tensors;

namespace StableTune.Configuration;

/// <summary>The base model and its text encoder.</summary>
internal static class ModelArguments
{
    public static OptionSection Section { get; } = new("Model",
    [
        new("pretrained_model_name_or_path", OptionKind.Text, "The base model: a single file, a diffusers folder, or a name on the hub")
        {
            Apply = (builder, value) => builder.WithModel((string)value), Write = plan => plan.ModelPath,
        },
        new("v2", OptionKind.Flag, "The model is Stable Diffusion 2.x; found out by itself, and refused where the file says otherwise")
        {
            Apply = (builder, value) => Model(builder, model => (bool)value ? model with { Version = ModelVersion.Sd2 } : model),
            Write = plan => plan.Model.Version == ModelVersion.Sd2,
        },
        new("v_parameterization", OptionKind.Flag, "The model predicts velocity; found out by itself where its files say so")
        {
            Apply = (builder, value) => Model(builder, model => (bool)value ? model with { Prediction = ModelPrediction.V } : model),
            Write = plan => plan.Model.Prediction == ModelPrediction.V,
        },
        new("vae", OptionKind.Text, "Another VAE: a file, a folder, or a name on the hub")
        {
            Apply = (builder, value) => builder.WithVae((string)value), Write = plan => plan.Model.VaePath,
        },
        new("tokenizer_cache_dir", OptionKind.Text, "A folder that keeps tokenizers which are not the model's own")
        {
            Apply = (builder, value) => Model(builder, model => model with { TokenizerCacheFolder = (string)value }),
            Write = plan => plan.Model.TokenizerCacheFolder,
        },
        new("tokenizer_name", OptionKind.Text, "Another tokenizer: a folder, or a name on the hub (ppdiffusers, diffusers)")
        {
            Apply = (builder, value) => Model(builder, model => model with { TokenizerPath = (string)value }),
            Write = plan => plan.Model.TokenizerPath,
        },
        new("revision", OptionKind.Text, "Branch, tag or commit on the hub")
        {
            Apply = (builder, value) => Model(builder, model => model with { Revision = (string)value }),
            Write = plan => plan.Model.Revision,
        },
        new("variant", OptionKind.Text, "Variant of weight files, such as fp16")
        {
            Apply = (builder, value) => Model(builder, model => model with { Variant = (string)value }),
            Write = plan => plan.Model.Variant,
        },
        new("no_token_padding", OptionKind.Flag, "Pad captions only to the longest of the batch")
        {
            Apply = (builder, value) => builder.WithTokenPadding(!(bool)value), Write = plan => !plan.PadTokens,
        },
        new("clip_skip", OptionKind.Integer, "The layer of the text encoder that is used, counted from its end, from 1")
        {
            Apply = (builder, value) => builder.WithClipSkip((int)value), Write = plan => plan.ClipSkip,
        },
        new("max_token_length", OptionKind.Integer, "Caption tokens that count: 75, 150, 225 ...")
        {
            Default = 75, Apply = (builder, value) => builder.WithMaxTokenLength((int)value), Write = plan => plan.MaxTokenLength,
        },
        new("weighted_captions", OptionKind.Flag, "Brackets weigh parts of captions, as in \"a (red:1.3) cat\"")
        {
            Apply = (builder, value) => builder.WithWeightedCaptions((bool)value), Write = plan => plan.WeightedCaptions,
        },
        new("lowram", OptionKind.Flag, "Load weights straight to the device")
        {
            NoEffect = "weights go to the device one by one in any case",
        },
        new("disable_mmap_load_safetensors", OptionKind.Flag, "Read safetensors files instead of mapping them")
        {
            Apply = (builder, value) => Model(builder, model =>
                model with { Storage = (bool)value ? WeightStorage.Copied : model.Storage }),
            Write = plan => plan.Model.Storage == WeightStorage.Copied,
        },
    ]);

    private static void Model(TrainerBuilder builder, Func<ModelLoadOptions, ModelLoadOptions> change) =>
        builder.Change(plan => plan with { Model = change(plan.Model) });
}
