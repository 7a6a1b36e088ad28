using StableTune.Data;

namespace StableTune;

/// <content>A subject, and the class that it belongs to.</content>
public sealed partial class TrainerBuilder
{
    /// <summary>Adds images of a subject, which all have one caption.</summary>
    /// <param name="folder">The folder of the images; its name says nothing. Caption files, where there are some, win over the
    /// prompt.</param>
    /// <param name="prompt">The caption: an identifier with its class, "a sks dog" (ppdiffusers: <c>instance_prompt</c>).</param>
    /// <param name="resolution">As in <see cref="WithImages(string, int?, IReadOnlyList{string})"/>.</param>
    /// <param name="repeats">Times that each image occurs in an epoch.</param>
    public TrainerBuilder WithSubject(string folder, string prompt, int? resolution = null, int repeats = 1)
    {
        _images.Add(new SubsetPlan(new FolderSource(Given(folder)) { ReadFolderName = false },
            new SubsetOptions { ClassTokens = Given(prompt), Repeats = repeats }));
        return resolution is { } side ? WithResolution(side) : this;
    }

    /// <summary>
    /// Adds regularisation images of the subject's class, and lets the unmodified model draw those that are missing when the run starts.
    /// They are samples of their own (sd-scripts' way); see <see cref="WithPriorPreservation"/> for pairs.
    /// </summary>
    /// <param name="folder">Their folder; may be empty or missing.</param>
    /// <param name="prompt">What is drawn, and their caption: "a dog".</param>
    /// <param name="count">Images that are wanted in all.</param>
    /// <param name="change">Changes how they are drawn: <c>o => o with { Steps = 30 }</c>; null leaves the defaults.</param>
    public TrainerBuilder WithClassImages(
        string folder, string prompt, int count = 100, Func<ClassImageOptions, ClassImageOptions>? change = null)
    {
        var options = new ClassImageOptions { Folder = Given(folder), Prompt = Given(prompt), Count = count };
        var source = new ClassImageSource(change?.Invoke(options) ?? options);
        _images.Add(new SubsetPlan(source, new SubsetOptions { IsRegularization = true }));
        return this;
    }

    /// <summary>
    /// Prior preservation as diffusers and ppdiffusers have it (<c>with_prior_preservation</c>): class images as
    /// <see cref="WithClassImages"/> adds them, one beside each image of the subject in the same batch, which is twice as large.
    /// </summary>
    /// <param name="folder">The folder of the class images; may be empty or missing.</param>
    /// <param name="prompt">What is drawn, and their caption: "a dog".</param>
    /// <param name="count">Images that are wanted in all.</param>
    /// <param name="weight">Factor of their loss (<c>prior_loss_weight</c>).</param>
    /// <param name="change">Changes how they are drawn.</param>
    public TrainerBuilder WithPriorPreservation(string folder, string prompt, int count = 100, double weight = 1,
        Func<ClassImageOptions, ClassImageOptions>? change = null) =>
        WithClassImages(folder, prompt, count, change).Set(options => options with
        {
            PriorStyle = PriorStyle.Paired, PriorLossWeight = weight,
        });

    /// <summary>Factor of the loss of regularisation images. Default 1.</summary>
    public TrainerBuilder WithPriorLossWeight(double weight) => Set(options => options with { PriorLossWeight = weight });
}
