using StableTune.Configuration;
using StableTune.Data;

namespace StableTune;

/// <content>Runs in the references' words.</content>
public sealed partial class TrainerBuilder
{
    /// <summary>
    /// A builder that begins with what a configuration file of sd-scripts says: TOML with any options, sections for the reader only.
    /// <see cref="RunConfiguration"/> tells notes too.
    /// </summary>
    /// <param name="path">The file, <c>.toml</c> or <c>.json</c>.</param>
    /// <param name="script">The program that it is meant for. Default <c>train_network.py</c>.</param>
    /// <param name="arguments">Options that win over the file: <c>"--learning_rate", "1e-4"</c>.</param>
    /// <exception cref="InvalidOptionsException">Options are not known or wrong; the message lists every one, with line and
    /// column.</exception>
    /// <exception cref="InvalidFileException">The file is missing, or its notation is wrong.</exception>
    public static TrainerBuilder FromToml(string path, RunScript script = RunScript.Network, params IReadOnlyList<string> arguments) =>
        FromArguments(["--config_file", Given(path), .. Given(arguments)], ReferenceStyle.SdScripts, script);

    /// <summary>A builder that begins with what sd-trainer's configuration file says; the file also says what is trained.</summary>
    /// <param name="path">The file, <c>.yaml</c>.</param>
    /// <exception cref="InvalidOptionsException">Keys are not known or wrong; the message lists every one, with its line.</exception>
    /// <exception cref="InvalidFileException">The file is missing, or its notation is wrong.</exception>
    public static TrainerBuilder FromYaml(string path) => FromArguments([Given(path)], ReferenceStyle.SdTrainer);

    /// <summary>A builder that begins with what a command line of a reference says.</summary>
    /// <param name="arguments">The words, as typed after the program's name.</param>
    /// <param name="style">Whose names the options have.</param>
    /// <param name="script">The program that they are meant for.</param>
    /// <exception cref="InvalidOptionsException">Options are not known or wrong; the message lists every one.</exception>
    /// <exception cref="InvalidFileException">A file that is named is missing, or its notation is wrong.</exception>
    public static TrainerBuilder FromArguments(IReadOnlyList<string> arguments, ReferenceStyle style = ReferenceStyle.SdScripts,
        RunScript script = RunScript.Network)
    {
        var configuration = RunConfiguration.Parse(arguments, script, style);
        return configuration.Builder.WithNotes(configuration.Notes);
    }

    /// <summary>
    /// The run as a configuration file that <see cref="FromToml"/> reads as the same plan, data sets included. What has its default is
    /// left out.
    /// </summary>
    /// <param name="catalogs">What names stand for; null for what comes with StableTune.</param>
    /// <exception cref="InvalidOptionsException">Something was said that such a file cannot say: a host's own parts, several things to
    /// train.</exception>
    public string ToToml(RunCatalogs? catalogs = null) => RunWriter.Write(Plan, catalogs ?? RunCatalogs.Default);

    /// <summary>Sets what a recipe says (<see cref="Recipes"/>); what is said afterwards wins over it.</summary>
    /// <param name="recipe">For instance <see cref="Recipes.MinimumMemory"/>.</param>
    public TrainerBuilder WithRecipe(Recipe recipe)
    {
        Given(recipe).Apply(this);
        return this;
    }

    /// <summary>Changes options of the data set; of several, the first.</summary>
    /// <param name="change">For instance <c>data => data with { MinibatchRepeat = 2 }</c>.</param>
    public TrainerBuilder WithDataOptions(Func<DatasetOptions, DatasetOptions> change) => Set(Given(change));

    /// <summary>Changes options of every subset of the data set, whenever it is added; of several data sets, the first.</summary>
    /// <param name="change">For instance <c>subset => subset with { Repeats = 10 }</c>.</param>
    public TrainerBuilder WithSubsetOptions(Func<SubsetOptions, SubsetOptions> change)
    {
        _subsetChanges.Add(Given(change));
        return this;
    }

    /// <summary>Changes the plan.</summary>
    internal TrainerBuilder Change(Func<TrainingPlan, TrainingPlan> change) => Set(change(_plan));

    /// <summary>Takes a whole data set.</summary>
    internal TrainerBuilder WithDatasetPlan(DatasetPlan plan)
    {
        _dataset = plan;
        return this;
    }

    /// <summary>Notes become warnings of the run.</summary>
    private TrainerBuilder WithNotes(IReadOnlyList<string> notes)
    {
        var given = _dataset ?? new DatasetPlan();
        return WithDatasetPlan(given with { Notes = given.Notes.AddRange(notes) });
    }
}
