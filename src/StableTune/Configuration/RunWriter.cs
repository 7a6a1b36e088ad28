using StableTune.Adapters;
using StableTune.Data;
using StableTune.Formats;
using StableTune.Trainables;

namespace StableTune.Configuration;

/// <summary>Writes a plan as options, and proves it by reading them back.</summary>
internal sealed class RunWriter
{
    private readonly OrderedDictionary<string, object> _values = new(StringComparer.Ordinal);
    private readonly List<OptionProblem> _problems = [];

    private RunWriter(TrainingPlan plan, RunCatalogs catalogs) => (Plan, Catalogs) = (plan, catalogs);

    /// <summary>What is written.</summary>
    public TrainingPlan Plan { get; }

    /// <summary>What names stand for.</summary>
    public RunCatalogs Catalogs { get; }

    private TomlTable? Datasets { get; set; }

    /// <summary>The text of a file that is read as this plan.</summary>
    /// <exception cref="InvalidOptionsException">Options cannot say something of it.</exception>
    public static string Write(TrainingPlan plan, RunCatalogs catalogs)
    {
        var writer = new RunWriter(plan, catalogs);
        var script = writer.ScriptOf();
        foreach (var section in OptionTable.Sections)
        {
            foreach (var row in section.Rows)
                if (row.Write?.Invoke(plan) is { } value) writer.Write(row.Name, value);
            section.Write?.Invoke(writer);
        }

        writer.Others();
        InvalidOptionsException.ThrowIfAny(writer._problems);
        var text = writer.Text();
        writer.Prove(text, script);
        InvalidOptionsException.ThrowIfAny(writer._problems);
        return text;
    }

    /// <summary>Writes a value unless it is the default; null is not written.</summary>
    public void Write(string name, object? value)
    {
        if (value is null || OptionTable.Of(name).IsDefault(value)) return;
        _values[name] = value;
    }

    /// <summary>Writes a flag where "off" is something else than "not said".</summary>
    public void WriteSaid(string name, bool? value)
    {
        if (value is { } said) _values[name] = said;
    }

    /// <summary>Notes what options cannot say.</summary>
    public void Refuse(string option, object? value) => _problems.Add(new OptionProblem(option, value is string or null ? value
        : value.GetType().IsPrimitive ? value : value.GetType().Name, "the options of a configuration file cannot say this",
        "leave it at its default, or keep the run in code"));

    /// <summary>The name of something in a catalogue, with the arguments by which it differs; null where none stands for it.</summary>
    public string? NameOf<T>(string option, Catalog<T> catalog, T value, out string[] arguments) where T : class
    {
        arguments = [];
        try
        {
            foreach (var name in catalog.Names)
            {
                var usual = catalog.Create(name);
                if (usual.GetType() != value.GetType()) continue;
                arguments = [.. RecordArguments.Differences(value, usual).Select(pair => $"{pair.Key}={pair.Value}")];
                return name;
            }
        }
        catch (NotSupportedException)
        {
            // A value that has no text.
        }

        Refuse(option, value);
        return null;
    }

    /// <summary>Writes the data sets into the file itself.</summary>
    public void WriteDatasets()
    {
        var dataset = PriorArguments.Write(this, Plan.Dataset);
        if (dataset.Subsets.Length == 0 && dataset.Others.Length == 0) return;
        try
        {
            // Their weight is an option of the run.
            var text = DatasetConfiguration.ToToml(Without(dataset));
            Datasets = TomlDocument.Parse(text).Root;
            if (dataset.Options.PriorLossWeight != 1) Write("prior_loss_weight", dataset.Options.PriorLossWeight);
        }
        catch (InvalidOptionsException e)
        {
            _problems.AddRange(e.Problems);
        }
    }

    private static DatasetPlan Without(DatasetPlan plan) => plan with
    {
        Options = plan.Options with { PriorLossWeight = 1 }, Others = [.. plan.Others.Select(Without)],
    };

    private RunScript ScriptOf()
    {
        switch (Plan.Trainables)
        {
            case [ControlNetOptions] or [AdapterTrainableOptions { Adapter: LLLiteOptions }]: return RunScript.ControlNet;
            case [AdapterTrainableOptions]: return RunScript.Network;
            case [ModelTrainableOptions]: return RunScript.DreamBooth;
            case [PfgOptions]: return RunScript.FineTune;
            case [TextualInversionOptions]: return RunScript.TextualInversion;
            case [ExtendedTextualInversionOptions]: return RunScript.ExtendedTextualInversion;
            default:
                Refuse("TrainingPlan.Trainables", string.Join(", ", Plan.Trainables.Select(trainable => trainable.EffectiveName)));
                return RunScript.Network;
        }
    }

    private void Others()
    {
        if (Plan.GivenModel is not null) Refuse("TrainingPlan.GivenModel", Plan.GivenModel);
        if (Plan.Gradients is not null) Refuse("TrainingPlan.Gradients", Plan.Gradients);
    }

    private string Text()
    {
        var root = new TomlTable();
        foreach (var section in OptionTable.Sections)
        {
            var table = new TomlTable();
            foreach (var row in section.Rows)
                if (_values.TryGetValue(row.Name, out var value)) table[row.Name] = row.Kind.Write(value);
            if (table.Count > 0) root[RunConfiguration.SectionKey(section.Title)] = table;
        }

        foreach (var entry in Datasets ?? []) root[entry.Key] = entry.Value;
        return TomlWriter.Write(root);
    }

    /// <summary>Reads the text, and notes all in which its plan is another one.</summary>
    private void Prove(string text, RunScript script)
    {
        var read = RunConfiguration.Of(TomlDocument.Parse(text), script, Catalogs).Builder.Plan;
        foreach (var difference in PlanComparison.Differences(Comparable(read), Comparable(Plan)))
            _problems.Add(new OptionProblem("TrainingPlan", difference, "the options of a configuration file cannot say this",
                "leave it at its default, or keep the run in code"));
    }

    /// <summary>What counts: the host's logger, meter, clock and processes do not, and rates may stand in the plan or with what is
    /// trained.</summary>
    private static TrainingPlan Comparable(TrainingPlan plan)
    {
        plan = plan with
        {
            Logger = null, Meters = null, Clock = TimeProvider.System, Dataset = Comparable(plan.Dataset),
            Distributed = plan.Distributed with { Processes = null },
            Model = plan.Model with { Hub = WithoutToken(plan.Model.Hub) },
            Observers = [.. plan.Observers.Select(observer => observer is HubUpload upload
                ? new HubUpload(upload.Options with { Hub = WithoutToken(upload.Options.Hub) }) : observer)],
        };
        if (plan.Trainables is [ModelTrainableOptions given])
        {
            var (model, rates) = WholeModelArguments.Settled(given, plan);
            return rates with { Trainables = [model] };
        }

        return plan.Trainables is not [AdapterTrainableOptions adapter] ? plan : plan with
        {
            UNetLearningRate = adapter.UNetRate ?? plan.UNetLearningRate,
            TextEncoderLearningRate = adapter.TextEncoderRate ?? plan.TextEncoderLearningRate,
            SecondTextEncoderLearningRate = adapter.SecondTextEncoderRate ?? plan.SecondTextEncoderLearningRate,
            Trainables = [adapter with { UNetRate = null, TextEncoderRate = null, SecondTextEncoderRate = null }],
        };
    }

    /// <summary>A token is not written to files: it is the environment's, or given anew.</summary>
    private static HubOptions? WithoutToken(HubOptions? options) =>
        options is null || options with { Token = null } == new HubOptions() ? null : options with { Token = null };

    /// <summary>A folder's own text and repeats are written with it; sources have no values to compare but these texts.</summary>
    private static DatasetPlan Comparable(DatasetPlan plan) => plan with
    {
        Notes = [], Subsets = [], Others = [.. plan.Others.Select(Comparable)],
    };
}
