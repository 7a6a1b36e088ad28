using StableTune.Checkpoints;
using StableTune.Trainables;

namespace StableTune.Configuration;

/// <summary>
/// What is trained by <c>train-textual-inversion</c>, the embedding of a new word, and by <c>train-textual-inversion-xti</c>, one for each
/// attention layer.
/// </summary>
internal static class TextualInversionArguments
{
    private const RunScript Inversion = RunScript.TextualInversion | RunScript.ExtendedTextualInversion;

    public static OptionSection Section { get; } = new("Textual inversion",
    [
        new("token_string", OptionKind.Text, "The new word, which captions must contain")
        {
            Scripts = Inversion, Aliases = ["placeholder_token"],
        },
        new("init_word", OptionKind.Text, "Words whose embeddings it begins with")
        {
            Scripts = Inversion, Aliases = ["initializer_token"],
        },
        new("num_vectors_per_token", OptionKind.Integer, "Vectors that stand for the word")
        {
            Default = 1, Scripts = Inversion, Aliases = ["num_vectors"],
        },
        new("weights", OptionKind.Text, "An embedding file that it begins with") { Scripts = Inversion },
        new("use_object_template", OptionKind.Flag, "Captions are sentences about an object") { Scripts = Inversion },
        new("use_style_template", OptionKind.Flag, "Captions are sentences about a style") { Scripts = Inversion },
        new("learnable_property", OptionKind.Choice("object", "style"), "The same (diffusers)") { Scripts = Inversion },
    ], Assemble)
    {
        Write = writer =>
        {
            if (writer.Plan.Trainables is not [NewWordOptions word]) return;
            writer.Write("token_string", word.Token);
            writer.Write("init_word", word.InitWord);
            writer.Write("num_vectors_per_token", word.Vectors);
            writer.Write("weights", word.InitialWeights);
            if (word.Template == PromptTemplate.Object) writer.Write("use_object_template", true);
            if (word.Template == PromptTemplate.Style) writer.Write("use_style_template", true);
        },
    };

    private static void Assemble(RunDraft draft)
    {
        if ((draft.Script & Inversion) == 0) return;
        var values = draft.Values;
        if (values.Text("token_string") is not { } word)
        {
            values.Fault("token_string", "it is the word that is learnt", "give a word that means nothing yet, such as sksdog");
            return;
        }

        if (values.Find("weighted_captions") is { Value: true } weighted)
            values.Problems.Add(weighted.Problem("brackets cannot weigh captions while a word is learnt", "leave it out"));
        var (initial, vectors, weights) =
            (values.Text("init_word"), values.Get<int>("num_vectors_per_token")!.Value, values.Text("weights"));
        draft.Builder.WithTrainable(draft.Script == RunScript.ExtendedTextualInversion
            ? new ExtendedTextualInversionOptions
            {
                Token = word, InitWord = initial, Vectors = vectors, InitialWeights = weights, Template = Template(values),
            }
            : new TextualInversionOptions
            {
                Token = word, InitWord = initial, Vectors = vectors, InitialWeights = weights, Template = Template(values),
                Format = values.Text("save_model_as") == "diffusers_safetensors" ? EmbeddingFormat.Diffusers : null,
            });
    }

    private static PromptTemplate Template(OptionValues values)
    {
        OptionValue[] said = [.. new[] { values.Find("use_object_template"), values.Find("use_style_template"),
            values.Find("learnable_property") }.OfType<OptionValue>().Where(value => value.Value is not false)];
        if (said.Length > 1) values.Problems.Add(said[1].Problem($"{said[0].Option.Name} chooses the sentences too", "keep one of them"));
        return said.FirstOrDefault() switch
        {
            null => PromptTemplate.None,
            { Option.Name: "use_style_template" } or { Value: "style" } => PromptTemplate.Style,
            _ => PromptTemplate.Object,
        };
    }
}
