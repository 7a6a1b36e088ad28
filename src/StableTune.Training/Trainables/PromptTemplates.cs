using StableTune.Data;
using StableTune.Training;

namespace StableTune.Trainables;

/// <summary>The customary sentences of textual inversion; {} stands for the new word.</summary>
public static class PromptTemplates
{
    /// <summary>The 27 sentences about a thing.</summary>
    public static IReadOnlyList<string> Object { get; } =
    [
        "a photo of a {}", "a rendering of a {}", "a cropped photo of the {}", "the photo of a {}", "a photo of a clean {}",
        "a photo of a dirty {}", "a dark photo of the {}", "a photo of my {}", "a photo of the cool {}", "a close-up photo of a {}",
        "a bright photo of the {}", "a cropped photo of a {}", "a photo of the {}", "a good photo of the {}", "a photo of one {}",
        "a close-up photo of the {}", "a rendition of the {}", "a photo of the clean {}", "a rendition of a {}", "a photo of a nice {}",
        "a good photo of a {}", "a photo of the nice {}", "a photo of the small {}", "a photo of the weird {}", "a photo of the large {}",
        "a photo of a cool {}", "a photo of a small {}",
    ];

    /// <summary>The 19 sentences about a style; one of them is there twice, as in the lists that others use.</summary>
    public static IReadOnlyList<string> Style { get; } =
    [
        "a painting in the style of {}", "a rendering in the style of {}", "a cropped painting in the style of {}",
        "the painting in the style of {}", "a clean painting in the style of {}", "a dirty painting in the style of {}",
        "a dark painting in the style of {}", "a picture in the style of {}", "a cool painting in the style of {}",
        "a close-up painting in the style of {}", "a bright painting in the style of {}", "a cropped painting in the style of {}",
        "a good painting in the style of {}", "a close-up painting in the style of {}", "a rendition in the style of {}",
        "a nice painting in the style of {}", "a small painting in the style of {}", "a weird painting in the style of {}",
        "a large painting in the style of {}",
    ];

    /// <summary>The sentences of a template; null for none.</summary>
    /// <param name="template">The template.</param>
    public static IReadOnlyList<string>? Of(PromptTemplate template) => template switch
    {
        PromptTemplate.Object => Object,
        PromptTemplate.Style => Style,
        _ => null,
    };
}

/// <summary>Puts a random sentence in the place of each caption.</summary>
/// <param name="sentences">With {} for the word.</param>
/// <param name="word">The new word.</param>
internal sealed class TemplateStage(IReadOnlyList<string> sentences, string word) : ICaptionStage
{
    public string Change(string caption, in CaptionMoment moment)
    {
        var sample = moment.Batch.Items.Count > moment.Index ? moment.Batch.Items[moment.Index] : null;
        // A regularisation image is not what the word stands for; and a caption that was dropped shall be empty.
        if (sample is { Subset.IsRegularization: true } || (caption.Length == 0 && sample is { Caption.Length: > 0 })) return caption;
        using var draw = randint(0, sentences.Count, [1], dtype: ScalarType.Int64, generator: moment.Random["templates"]);
        return sentences[(int)draw.item<long>()].Replace("{}", word, StringComparison.Ordinal);
    }
}
