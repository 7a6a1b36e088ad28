using StableTune.Data;
using StableTune.Imaging;

namespace StableTune.Configuration;

/// <summary>Where the images come from: a data set file, DreamBooth folders, a metadata file, a host's own source.</summary>
internal static class DatasetArguments
{
    private static readonly string[] s_folders = ["train_data_dir", "reg_data_dir", "in_json", "instance_data_dir", "class_data_dir",
        "sd_trainer_dir", "dataset_class"];

    public static OptionSection Section { get; } = new("Data set",
    [
        new("dataset_config", OptionKind.Text, "A file that describes the data sets, TOML or JSON"),
        new("train_data_dir", OptionKind.Text, "Parent of folders such as \"20_sls frog\"; with in_json the folder of the images"),
        new("reg_data_dir", OptionKind.Text, "Parent of folders of regularisation images"),
        new("in_json", OptionKind.Text, "A metadata file of images, captions and tags"),
        new("dataset_repeats", OptionKind.Integer, "Times each image of in_json occurs in an epoch") { Default = 1 },
        new("dataset_class", OptionKind.Text, "A host's own source of images: a registered name, or \"Namespace.Type, Assembly\""),
        new("sd_trainer_dir", OptionKind.Text, "A folder in sd-trainer's layout, with its buckets.json"),
        new("resolution", OptionKind.Size, "Side of the training images in pixels, or width,height"),
        new("train_batch_size", OptionKind.Integer, "Images in a batch") { Default = 1, Aliases = ["batch_size"] },
        new("network_multiplier", OptionKind.Number, "The adapters' multiplier while images are trained") { Default = 1.0 },
        new("validation_split", OptionKind.Number, "Share of the images that is held out to measure the loss on") { Default = 0.0 },
        new("validation_seed", OptionKind.Long, "Seeds which images are held out"),
        new("validate_every_n_steps", OptionKind.Integer, "Measure the loss on held-out images after every so many steps"),
        new("validate_every_n_epochs", OptionKind.Integer, "Measure the loss on held-out images after every so many epochs"),
        new("max_validation_steps", OptionKind.Integer, "Batches that are measured at most"),
        new("debug_dataset", OptionKind.Flag, "Write a page that shows what would be trained, and stop"),
        new("max_data_loader_n_workers", OptionKind.Integer, "Threads that prepare images ahead of the steps; 0 for none")
        {
            Default = new BatchLoaderOptions().Workers, Apply = (builder, value) => builder.WithWorkers((int)value),
            Write = plan => plan.Loader.Workers,
        },
        new("persistent_data_loader_workers", OptionKind.Flag, "Keep workers between epochs") { NoEffect = "they always stay" },
        new("max_batches_per_epoch", OptionKind.Integer, "Batches in an epoch at most"),
        new("minibatch_repeat", OptionKind.Integer, "Times each image occurs in its batch (sd-trainer)") { Default = 1 },
        new("minimum_image_area", OptionKind.Integer, "Images of fewer pixels are left out"),
        new("on_bad_image", OptionKind.Choice("fail", "skip"), "What is done with files that cannot be read") { Default = "fail" },
        new("apply_exif_orientation", OptionKind.Flag, "Turn photographs as they were taken; sd-scripts does not") { Default = true },
        new("enable_bucket", OptionKind.Flag, "Train each image in about its own shape"),
        new("min_bucket_reso", OptionKind.Integer, "The smallest side of a bucket") { Default = 256 },
        new("max_bucket_reso", OptionKind.Integer, "The largest side of a bucket") { Default = 1024 },
        new("bucket_reso_steps", OptionKind.Integer, "Sides of buckets are multiples of it") { Default = 64 },
        new("bucket_no_upscale", OptionKind.Flag, "Never enlarge an image"),
        new("max_ratio", OptionKind.Number, "The largest ratio of a bucket's sides (sd-trainer's buckets)"),
        new("resize_mode", OptionKind.Choice("cover", "squash", "short_side"), "How images come to the resolution without buckets")
        {
            Default = "cover",
        },
        new("resize_interpolation", OptionKind.Text, "How pictures are resized: lanczos, area, bilinear, bicubic, nearest"),
    ], Assemble)
    {
        Write = writer =>
        {
            writer.WriteDatasets();
            if (writer.Plan.Validation is not { } validation) return;
            writer.Write("validate_every_n_steps", validation.EveryNSteps);
            writer.Write("validate_every_n_epochs", validation.EveryNEpochs);
            writer.Write("max_validation_steps", validation.MaxSteps);
        },
    };

    private static void Assemble(RunDraft draft)
    {
        var values = draft.Values;
        _ = values.Find("debug_dataset");                                      // the caller's: nothing is trained then
        var (datasets, subsets) = (Options(values), SubsetArguments.Options(values));
        var described = Described(draft, datasets, subsets);
        var classes = PriorArguments.ClassImages(draft, subsets);
        if ((described ?? FromOptions(draft, datasets, subsets)) is { } plan)
        {
            // They are drawn in the resolution that the data set has in the end: a file of data sets may have its own.
            if (classes?.Source is ClassImageSource drawn)
                plan = plan with { Subsets = plan.Subsets.Add(classes with { Source = drawn.Sized(plan.Options.Resolution) }) };
            draft.Builder.WithDatasetPlan(plan);
        }

        if (values.Find("validate_every_n_steps") is not null || values.Find("validate_every_n_epochs") is not null
            || values.Find("max_validation_steps") is not null)
            draft.Builder.WithValidation(new ValidationOptions
            {
                EveryNSteps = values.Get<int>("validate_every_n_steps"), EveryNEpochs = values.Get<int>("validate_every_n_epochs"),
                MaxSteps = values.Get<int>("max_validation_steps"),
            });
    }

    /// <summary>Data sets that are described by a file of their own, or in the configuration itself; null for neither.</summary>
    private static DatasetPlan? Described(RunDraft draft, DatasetOptions datasets, SubsetOptions subsets)
    {
        var (values, file) = (draft.Values, draft.Values.Find("dataset_config"));
        if (file is null && draft.Datasets is null) return null;
        if (file is not null && draft.Datasets is not null)
            values.Problems.Add(file.Problem("the configuration has [[datasets]] of its own", "keep one of the two"));
        var place = file?.Origin ?? draft.Datasets!.Path;
        foreach (var name in s_folders)
            if (values.Find(name) is { } ignored && name != "class_data_dir")
                values.Notes.Add($"{ignored.Origin}: {name} is {RunOption.Shown(ignored.Value)}: it is not looked at, because the "
                    + $"data sets are described ({place}).");
        _ = values.Find("dataset_repeats");
        return values.Try("dataset_config", "correct the file", () => draft.Datasets is { } own
            ? DatasetConfiguration.Read(own, datasets, subsets) : DatasetConfiguration.Read((string)file!.Value, datasets, subsets))
            ?? new DatasetPlan();
    }

    private static DatasetPlan? FromOptions(RunDraft draft, DatasetOptions datasets, SubsetOptions subsets)
    {
        var values = draft.Values;
        var (train, reg, metadata) = (values.Text("train_data_dir"), values.Text("reg_data_dir"), values.Text("in_json"));
        var builder = new DatasetBuilder().WithOptions(datasets);
        if (values.Text("dataset_class") is { } name)
        {
            if (values.Try("dataset_class", "register it, or name a type that implements IDatasetSource",
                () => RunCatalogs.Create(draft.Catalogs.Sources, name, train)) is { } source) builder.Add(source, subsets);
        }
        else if (metadata is not null)
        {
            if (reg is not null)
                values.Fault("reg_data_dir", "a metadata file takes no regularisation images", "leave it out, or train folders");
            if (values.Find("dataset_repeats") is { } twice && subsets.Repeats is not null)
                values.Problems.Add(twice.Problem("num_repeats says the same", "give one of them"));
            builder.AddMetadata(metadata, train, subsets with { Repeats = subsets.Repeats ?? values.Get<int>("dataset_repeats") });
        }
        else if (train is not null)
        {
            if (draft.Script == RunScript.FineTune)
                values.Fault("in_json", "fine-tuning needs a metadata file beside train_data_dir", "give one, or use train-db");
            builder.AddDreamBoothRoot(train, subsets);
            if (reg is not null) builder.AddDreamBoothRoot(reg, subsets with { IsRegularization = true });
        }

        if (values.Text("sd_trainer_dir") is { } prepared) builder.AddSdTrainer(prepared, subsets);
        PriorArguments.AddSubject(draft, builder, subsets);
        if (builder.Plan.Subsets.Length == 0)
            values.Problems.Add(new OptionProblem("train_data_dir", null, "there are no images to train on",
                "give dataset_config, train_data_dir, in_json, sd_trainer_dir, instance_data_dir or dataset_class"));
        _ = values.Find("dataset_repeats");
        return builder.Plan;
    }

    private static DatasetOptions Options(OptionValues values)
    {
        var interpolation = values.Text("resize_interpolation") is { } name
            ? values.Try("resize_interpolation", "give one of these", () => Interpolation.Parse(name)) : null;
        return new DatasetOptions
        {
            Resolution = values.Get<PixelSize>("resolution"),
            BatchSize = values.Get<int>("train_batch_size")!.Value, Bucketing = Bucketing(values), Interpolation = interpolation,
            NetworkMultiplier = values.Get<double>("network_multiplier")!.Value,
            ValidationSplit = values.Get<double>("validation_split")!.Value, ValidationSeed = values.Get<long>("validation_seed"),
            MaxBatchesPerEpoch = values.Get<int>("max_batches_per_epoch"), MinibatchRepeat = values.Get<int>("minibatch_repeat")!.Value,
            MinimumImageArea = values.Get<int>("minimum_image_area"),
            OnBadImage = values.Text("on_bad_image") == "skip" ? BadImagePolicy.Skip : BadImagePolicy.Fail,
            ApplyExifOrientation = values.Flag("apply_exif_orientation"),
            PriorLossWeight = values.Get<double>("prior_loss_weight")!.Value,
            PriorStyle = values.Flag("with_prior_preservation") ? PriorStyle.Paired : PriorStyle.Separate,
        };
    }

    private static IBucketing? Bucketing(OptionValues values)
    {
        var (least, most) = (values.Get<int>("min_bucket_reso")!.Value, values.Get<int>("max_bucket_reso")!.Value);
        var step = values.Get<int>("bucket_reso_steps")!.Value;
        var noUpscale = values.Flag("bucket_no_upscale");
        var (ratio, mode) = (values.Get<double>("max_ratio"), values.Text("resize_mode"));
        if (values.Flag("enable_bucket"))
            return ratio is { } longest ? new SdTrainerBuckets { MinSide = least, MaxSide = most, MaxAspect = longest }
                : new AspectBuckets { MinSide = least, MaxSide = most, Step = step, NoUpscale = noUpscale };
        return mode switch
        {
            "squash" => new FixedResolution { Mode = ResizeMode.Squash },
            "short_side" => new FixedResolution { Mode = ResizeMode.ShortSide },
            _ => null,
        };
    }
}
