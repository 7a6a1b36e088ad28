using StableTune.Data;

namespace StableTune.Configuration;

/// <summary>How images are trained: captions, augmentation, masks. What a data set file says of a subset wins over it.</summary>
internal static class SubsetArguments
{
    public static OptionSection Section { get; } = new("Captions and augmentation",
    [
        new("caption_extension", OptionKind.Text, "The ending of caption files beside the images")
        {
            Default = ".caption", Aliases = ["caption_extention"],
        },
        new("conditioning_data_dir", OptionKind.Text, "Folder of control images or masks, with the names of the images"),
        new("num_repeats", OptionKind.Integer, "Times each image occurs in an epoch; folders' names say it themselves"),
        new("class_tokens", OptionKind.Text, "The caption of images that have none; folders' names say it themselves"),
        new("alpha_mask", OptionKind.Flag, "The alpha channel weighs the loss"),
        new("masked_loss", OptionKind.Flag, "Images of conditioning_data_dir weigh the loss"),
        new("image_dir", OptionKind.Text, "A folder of images") { Refusal = InFile }, new("metadata_file", OptionKind.Text,
            "A metadata file of one subset") { Refusal = "it stands in [[datasets.subsets]] of a data set file; in_json is the option" },
        new("is_reg", OptionKind.Flag, "The subset holds regularisation images") { Refusal = InFile },
        new("cache_info", OptionKind.Flag, "Note sizes and captions in the folder") { Refusal = InFile },
        new("custom_attributes", OptionKind.Text, "A host's own values") { Refusal = InFile },
        new("shuffle_caption", OptionKind.Flag, "Shuffle the parts of captions behind those that are kept"),
        new("caption_separator", OptionKind.Text, "What separates the parts of a caption") { Default = "," },
        new("keep_tokens", OptionKind.Integer, "Parts at the beginning that stay where they are") { Default = 0 },
        new("keep_tokens_separator", OptionKind.Text, "What separates the parts that stay from the others"),
        new("secondary_separator", OptionKind.Text, "What separates parts that stay together"),
        new("enable_wildcard", OptionKind.Flag, "A caption's line, and {a|b} in it, are drawn at random"),
        new("caption_text", OptionKind.Text, "One caption for all images, in the place of their own (sd-trainer's prompt)"),
        new("caption_prefix", OptionKind.Text, "Stands before every caption"),
        new("caption_suffix", OptionKind.Text, "Stands behind every caption"),
        new("caption_prefix_separator", OptionKind.Text, "What stands between prefix and caption; a blank unless given"),
        new("caption_dropout_rate", OptionKind.Number, "How often a caption is left out") { Default = 0.0 },
        new("caption_dropout_every_n_epochs", OptionKind.Integer, "Captions are left out in every so many epochs") { Default = 0 },
        new("caption_tag_dropout_rate", OptionKind.Number, "How often a part is left out") { Default = 0.0 },
        new("proportion_empty_prompts", OptionKind.Number, "The same as caption_dropout_rate (diffusers)"),
        new("token_warmup_min", OptionKind.Integer, "Parts of captions that are used at the beginning") { Default = 1 },
        new("token_warmup_step", OptionKind.Number, "Steps, or part of them, until all parts are used") { Default = 0.0 },
        new("flip_aug", OptionKind.Flag, "Mirror images at random") { Aliases = ["random_flip"] },
        new("color_aug", OptionKind.Flag, "Change colours a little at random"),
        new("random_crop", OptionKind.Flag, "Crop at random instead of in the middle"),
        new("face_crop_aug_range", OptionKind.Pair, "Crop around faces: sizes relative to the face, as in 2.0,4.0"),
    ]);

    private const string InFile = "it stands in [[datasets.subsets]] of a data set file";

    /// <summary>What subsets have that say nothing else.</summary>
    public static SubsetOptions Options(OptionValues values)
    {
        var conditioning = values.Text("conditioning_data_dir");
        var extension = values.Find("caption_extension");
        if (values.Flag("masked_loss") && conditioning is null && !values.Has("dataset_config") && !values.Flag("alpha_mask"))
            values.Fault("masked_loss", "masks come from conditioning_data_dir, which is not given", "give it, or use alpha_mask");
        return new SubsetOptions
        {
            CaptionExtensions = extension is null ? null : [(string)extension.Value],
            ConditioningFolder = conditioning, Mask = Mask(values, conditioning),
            Repeats = values.Get<int>("num_repeats"), ClassTokens = values.Text("class_tokens"), Captions = Captions(values),
            Augmentation = new AugmentationOptions
            {
                Flip = values.Flag("flip_aug"), Color = values.Flag("color_aug") ? ColorAugmentation.Weak : ColorAugmentation.None,
                RandomCrop = values.Flag("random_crop"), FaceCrop = values.Get<(double, double)>("face_crop_aug_range"),
            },
        };
    }

    private static LossMask Mask(OptionValues values, string? conditioning)
    {
        var (alpha, masked) = (values.Flag("alpha_mask"), values.Flag("masked_loss"));
        if (alpha && masked && conditioning is not null)
            values.Notes.Add($"{values.Find("alpha_mask")!.Origin}: alpha_mask has no effect, the images of conditioning_data_dir are the "
                + "masks.");
        return masked && conditioning is not null ? LossMask.Conditioning : alpha ? LossMask.Alpha : LossMask.None;
    }

    private static CaptionOptions Captions(OptionValues values)
    {
        var (dropout, empty) = (values.Get<double>("caption_dropout_rate")!.Value, values.Get<double>("proportion_empty_prompts"));
        if (empty is not null && values.Has("caption_dropout_rate"))
            values.Fault("proportion_empty_prompts", "caption_dropout_rate says the same", "give one of them");
        return new CaptionOptions
        {
            Shuffle = values.Flag("shuffle_caption"), Separator = values.Text("caption_separator")!,
            KeepTokens = values.Get<int>("keep_tokens")!.Value, KeepTokensSeparator = values.Text("keep_tokens_separator"),
            SecondarySeparator = values.Text("secondary_separator"), Wildcard = values.Flag("enable_wildcard"),
            Text = (string?)values.Find("caption_text")?.Value,
            Prefix = values.Text("caption_prefix"), Suffix = values.Text("caption_suffix"),
            PrefixSeparator = (string?)values.Find("caption_prefix_separator")?.Value, DropoutRate = empty ?? dropout,
            DropoutEveryNEpochs = values.Get<int>("caption_dropout_every_n_epochs")!.Value,
            TagDropoutRate = values.Get<double>("caption_tag_dropout_rate")!.Value,
            WarmupMin = values.Get<int>("token_warmup_min")!.Value, WarmupSteps = values.Get<double>("token_warmup_step")!.Value,
        };
    }
}
