using StableTune.Data;
using StableTune.Imaging;

namespace StableTune.Configuration;

/// <summary>Prior preservation, and the folders of ppdiffusers' and diffusers' DreamBooth examples.</summary>
internal static class PriorArguments
{
    private const string Auto = "auto";

    private static readonly string[] s_class =
        ["class_data_dir", "class_prompt", "num_class_images", "sample_batch_size", "prior_generation_precision"];

    public static OptionSection Section { get; } = new("Prior preservation",
    [
        new("prior_loss_weight", OptionKind.Number, "Weight of the loss of regularisation images")
        {
            Default = 1.0, Write = plan => plan.Dataset.Options.PriorLossWeight,
        },
        new("with_prior_preservation", OptionKind.Flag, "Each training image has one of the class beside it (diffusers, ppdiffusers)"),
        new("instance_data_dir", OptionKind.Text, "A folder of images of the subject, all with one prompt"),
        new("instance_prompt", OptionKind.Text, "The prompt of the subject's images"),
        new("class_data_dir", OptionKind.Text, "A folder of images of the class"),
        new("class_prompt", OptionKind.Text, "The prompt of the class's images"),
        new("num_class_images", OptionKind.Integer, "Images of the class that are wanted") { Default = 100 },
        new("sample_batch_size", OptionKind.Integer, "Images of the class that are drawn at once where some are missing") { Default = 4 },
        new("prior_generation_precision", OptionKind.Choice(Auto, "fp32", "fp16", "bf16"), "Number format for drawing them")
        {
            Default = Auto,
        },
        new("center_crop", OptionKind.Flag, "Crop in the middle (ppdiffusers)")
        {
            NoEffect = "its code resizes to the whole resolution first, so that nothing is left to crop",
        },
    ]);

    /// <summary>Adds the folder of the subject.</summary>
    public static void AddSubject(RunDraft draft, DatasetBuilder builder, SubsetOptions subsets)
    {
        var values = draft.Values;
        var (instance, prompt) = (values.Text("instance_data_dir"), values.Text("instance_prompt"));
        if (instance is not null)
        {
            if (prompt is null)
                values.Fault("instance_prompt", "the images of instance_data_dir need a prompt",
                    "give one, such as \"a photo of sks dog\"");
            builder.Add(Folder(instance), subsets with { ClassTokens = prompt ?? "" });
        }
        else if (prompt is not null) values.Fault("instance_data_dir", "there is a prompt and no folder", "name the folder of the images");
    }

    /// <summary>The images of the class, which the run draws where they are missing; null for none.</summary>
    public static SubsetPlan? ClassImages(RunDraft draft, SubsetOptions subsets)
    {
        var values = draft.Values;
        if (!values.Flag("with_prior_preservation"))
        {
            foreach (var unused in s_class.Select(values.Find).OfType<OptionValue>().Where(one => !one.Option.IsDefault(one.Value)))
                values.Notes.Add($"{unused.Origin}: {unused.Option.Name} is not looked at without with_prior_preservation.");
            return null;
        }

        var (classes, prompt) = (values.Text("class_data_dir"), values.Text("class_prompt"));
        if (classes is null)
            values.Fault("class_data_dir", "with_prior_preservation needs images of the class", "name their folder; it may be empty");
        if (prompt is null)
            values.Fault("class_prompt", "with_prior_preservation needs a prompt of the class", "give one, such as \"a photo of a dog\"");
        if (classes is null || prompt is null) return null;
        var options = new ClassImageOptions
        {
            Folder = classes, Prompt = prompt, Count = values.Get<int>("num_class_images")!.Value,
            BatchSize = values.Get<int>("sample_batch_size")!.Value,
            Precision = values.Text("prior_generation_precision") switch
            {
                "fp32" => ScalarType.Float32,
                "fp16" => ScalarType.Float16,
                "bf16" => ScalarType.BFloat16,
                _ => null,
            },
        };
        return new SubsetPlan(new ClassImageSource(options), subsets with { ClassTokens = null, IsRegularization = true });
    }

    /// <summary>Writes the images of the class that options can say, and gives the data set without them.</summary>
    public static DatasetPlan Write(RunWriter writer, DatasetPlan dataset)
    {
        var plain = new SubsetOptions { IsRegularization = true };
        if (dataset.Options.PriorStyle != PriorStyle.Paired
            || dataset.Subsets.Where(subset => subset.Source is ClassImageSource).ToList() is not [var subset]
            || PlanComparison.Differences(subset.Options, plain).Any()) return dataset;
        var options = ((ClassImageSource)subset.Source).Options;
        PixelSize[] sizes = dataset.Options.Resolution is { } size ? [size] : [];
        var rest = options with { Folder = null, Prompt = null, Count = 100, BatchSize = 4, Precision = null, Sizes = [] };
        if (!options.Sizes.SequenceEqual(sizes) || PlanComparison.Differences(rest, new ClassImageOptions()).Any()) return dataset;
        var precision = options.Precision switch
        {
            null => Auto,
            ScalarType.Float16 => "fp16",
            ScalarType.BFloat16 => "bf16",
            ScalarType.Float32 => "fp32",
            _ => null,
        };
        if (precision is null) return dataset;
        writer.Write("with_prior_preservation", true);
        writer.Write("class_data_dir", options.Folder);
        writer.Write("class_prompt", options.Prompt);
        writer.Write("num_class_images", options.Count);
        writer.Write("sample_batch_size", options.BatchSize);
        writer.Write("prior_generation_precision", precision);
        return dataset with { Subsets = dataset.Subsets.Remove(subset) };
    }

    /// <summary>A folder as ppdiffusers reads it: its name says nothing, and there are no captions.</summary>
    private static FolderSource Folder(string path) => new(path) { ReadFolderName = false, CaptionExtensions = [".no-caption"] };
}
