using StableTune.Data;

namespace StableTune.Configuration;

/// <summary>What is computed once and kept.</summary>
internal static class CacheArguments
{
    public static OptionSection Section { get; } = new("Cache",
    [
        new("cache_latents", OptionKind.Flag, "Encode each image once; unless said, where that is possible")
        {
            Apply = (builder, value) => builder.WithCache(cache => cache with { Latents = (bool)value }),
        },
        new("cache_latents_to_disk", OptionKind.Flag, "Keep latents in files, for the next run too")
        {
            Apply = (builder, value) => builder.WithCache(cache => cache with { LatentsToDisk = (bool)value }),
            Write = plan => plan.Cache.LatentsToDisk,
        },
        new("vae_batch_size", OptionKind.Integer, "Images that are encoded at once")
        {
            Default = 1, Apply = (builder, value) => builder.WithCache(cache => cache with { VaeBatchSize = (int)value }),
            Write = plan => plan.Cache.VaeBatchSize,
        },
        new("skip_cache_check", OptionKind.Flag, "Trust files of latents without opening them")
        {
            Apply = (builder, value) => builder.WithCache(cache => cache with { SkipCheck = (bool)value }),
            Write = plan => plan.Cache.SkipCheck,
        },
        new("cache_text_encoder_outputs", OptionKind.Flag, "Encode each caption once; unless said, where that is possible")
        {
            Apply = (builder, value) => builder.WithCache(cache => cache with { TextEncoderOutputs = (bool)value }),
        },
        new("cache_text_encoder_outputs_to_disk", OptionKind.Flag, "Keep them in files, for the next run too")
        {
            Apply = (builder, value) => builder.WithCache(cache => cache with { TextEncoderOutputsToDisk = (bool)value }),
            Write = plan => plan.Cache.TextEncoderOutputsToDisk,
        },
        new("text_encoder_batch_size", OptionKind.Integer, "Captions that are encoded at once")
        {
            Apply = (builder, value) => builder.WithCache(cache => cache with { TextEncoderBatchSize = (int)value }),
            Write = plan => plan.Cache.TextEncoderBatchSize == new CacheOptions().TextEncoderBatchSize ? null
                : plan.Cache.TextEncoderBatchSize,
        },
        new("cache_dir", OptionKind.Text, "A folder for the files, in the place of beside the images")
        {
            Apply = (builder, value) => builder.WithCache(cache => cache with { Directory = (string)value }),
            Write = plan => plan.Cache.Directory,
        },
        new("latent_mode", OptionKind.Choice("sample", "mean_std"), "What is kept of an image: one draw, or what draws are made of")
        {
            Default = "sample",
            Apply = (builder, value) => builder.WithCache(cache => cache with
            {
                Posterior = (string)value == "mean_std" ? LatentPosterior.MeanStd : LatentPosterior.Sample,
            }),
            Write = plan => plan.Cache.Posterior == LatentPosterior.MeanStd ? "mean_std" : "sample",
        },
        new("cache_validation", OptionKind.Choice("size", "content"), "How files of latents are checked")
        {
            Default = "size",
            Apply = (builder, value) => builder.WithCache(cache => cache with
            {
                Validation = Enum.Parse<CacheValidation>((string)value, ignoreCase: true),
            }),
            Write = plan => plan.Cache.Validation.ToString().ToLowerInvariant(),
        },
    ], draft =>
    {
        var values = draft.Values;
        foreach (var (disk, memory) in new[] { ("cache_latents_to_disk", "cache_latents"),
            ("cache_text_encoder_outputs_to_disk", "cache_text_encoder_outputs") })
        {
            if (values.Find(disk) is not { Value: true } kept || values.Find(memory) is { Value: true }) continue;
            values.Notes.Add($"{kept.Origin}: {disk} turns {memory} on.");
            draft.Builder.WithCache(cache => disk == "cache_latents_to_disk" ? cache with { Latents = true }
                : cache with { TextEncoderOutputs = true });
        }
    })
    {
        // Off is not the same as unsaid here.
        Write = writer =>
        {
            writer.WriteSaid("cache_latents", writer.Plan.Cache.Latents);
            writer.WriteSaid("cache_text_encoder_outputs", writer.Plan.Cache.TextEncoderOutputs);
        },
    };
}
