using StableTune.Data;
using StableTune.Imaging;

namespace StableTune.Configuration;

/// <summary>Prior preservation, and the folders of ppdiffusers' and diffusers' DreamBooth examples.</summary>
internal static class PriorArguments
{
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
        new("sample_batch_size", OptionKind.Integer, "Images that are drawn at once where images of the class are missing")
        {
            Default = 4, NoEffect = "missing images of the class are not drawn by the run",
        },
        new("prior_generation_precision", OptionKind.Choice("auto", "fp32", "fp16", "bf16"), "Number format for drawing them")
        {
            Default = "auto", NoEffect = "missing images of the class are not drawn by the run",
        },
        new("center_crop", OptionKind.Flag, "Crop in the middle (ppdiffusers)")
        {
            NoEffect = "its code resizes to the whole resolution first, so that nothing is left to crop",
        },
    ]);

    /// <summary>Adds the folders of the subject and of the class.</summary>
    public static void Add(RunDraft draft, DatasetBuilder builder, SubsetOptions subsets)
    {
        var values = draft.Values;
        var (instance, prompt) = (values.Text("instance_data_dir"), values.Text("instance_prompt"));
        var (classes, classPrompt) = (values.Text("class_data_dir"), values.Text("class_prompt"));
        var (paired, wanted) = (values.Flag("with_prior_preservation"), values.Get<int>("num_class_images")!.Value);
        if (instance is not null)
        {
            if (prompt is null)
                values.Fault("instance_prompt", "the images of instance_data_dir need a prompt",
                    "give one, such as \"a photo of sks dog\"");
            builder.Add(Folder(instance), subsets with { ClassTokens = prompt ?? "" });
        }
        else if (prompt is not null) values.Fault("instance_data_dir", "there is a prompt and no folder", "name the folder of the images");

        if (!paired)
        {
            foreach (var unused in new[] { values.Find("class_data_dir"), values.Find("class_prompt") }.OfType<OptionValue>())
                values.Notes.Add($"{unused.Origin}: {unused.Option.Name} is not looked at without with_prior_preservation.");
            return;
        }

        if (classes is null) values.Fault("class_data_dir", "with_prior_preservation needs images of the class", "name their folder");
        if (classPrompt is null)
            values.Fault("class_prompt", "with_prior_preservation needs a prompt of the class", "give one, such as \"a photo of a dog\"");
        if (classes is null || classPrompt is null) return;
        if (Directory.Exists(classes) && Count(classes) is var there && there < wanted)
            values.Notes.Add($"class_data_dir has {there} images, and num_class_images wants {wanted}: those that are there are trained.");
        builder.Add(Folder(classes), subsets with { ClassTokens = classPrompt, IsRegularization = true });
    }

    /// <summary>A folder as ppdiffusers reads it: its name says nothing, and there are no captions.</summary>
    private static FolderSource Folder(string path) => new(path) { ReadFolderName = false, CaptionExtensions = [".no-caption"] };

    private static int Count(string folder) =>
        Directory.EnumerateFiles(folder).Count(file => ImageFile.Extensions.Contains(
            Path.GetExtension(file).ToLowerInvariant(), StringComparer.Ordinal));
}
