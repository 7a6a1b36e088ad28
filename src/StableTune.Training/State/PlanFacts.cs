using System.Collections;
using System.Globalization;
using System.Reflection;
using StableTune.Schedules;

namespace StableTune.Training;

/// <summary>What else must be the same in processes that train together.</summary>
/// <param name="Dataset">Of the images: see <see cref="DatasetIdentity.HashOf"/>.</param>
/// <param name="Weights">Of the model: see <see cref="WeightDigest"/>.</param>
/// <param name="Prediction">What the model predicts.</param>
/// <param name="State">Of the state that the run goes on from; null for none.</param>
internal sealed record ProcessFacts(string Dataset, string Weights, string Prediction, string? State);

/// <summary>
/// Options as pairs of name and text, for comparing a plan with the one that a state was written for: "Optimizer.Beta1" is "0.9". Classes
/// of a host, whose members mean
/// nothing here, stand for themselves by their type.
/// </summary>
internal static class PlanFacts
{
    private const int Deepest = 6;

    private const string NotSet = "not set";

    /// <summary>What must be the same in a run that goes on: all that changes what is learnt. Length, device, paths, threads, and what is
    /// saved, drawn and logged may differ.</summary>
    public static IReadOnlyDictionary<string, string> Of(TrainingPlan plan, string modelIdentity)
    {
        var facts = new OrderedDictionary<string, string>(StringComparer.Ordinal) { ["Model"] = modelIdentity };
        Add(facts, nameof(plan.Trainables), plan.Trainables);
        Add(facts, nameof(plan.Parts), plan.Parts);
        Add(facts, nameof(plan.UpBlocksOnly), plan.UpBlocksOnly);
        Add(facts, nameof(plan.Method), plan.Method);
        Add(facts, nameof(plan.Stages), plan.Stages);
        Add(facts, nameof(plan.Optimizer), plan.Optimizer);
        Add(facts, nameof(plan.Schedule), plan.Schedule);
        Add(facts, nameof(plan.LearningRate), plan.LearningRate);
        // States of before say nothing of rates that no part had of its own.
        foreach (var (name, rate) in new[]
        {
            (nameof(plan.UNetLearningRate), plan.UNetLearningRate), (nameof(plan.TextEncoderLearningRate), plan.TextEncoderLearningRate),
            (nameof(plan.SecondTextEncoderLearningRate), plan.SecondTextEncoderLearningRate),
        })
            if (rate is not null) Add(facts, name, rate);
        if (plan.ScaleLearningRate) Add(facts, nameof(plan.ScaleLearningRate), plan.LearningRateScale);
        Add(facts, nameof(plan.GradientAccumulation), plan.GradientAccumulation);
        Add(facts, nameof(plan.Gradients), plan.Gradients);
        Add(facts, nameof(plan.MaxGradientNorm), plan.MaxGradientNorm);
        // States of before say nothing of what is off.
        if (plan.MaxGradientValue is not null) Add(facts, nameof(plan.MaxGradientValue), plan.MaxGradientValue);
        if (plan.NonFinite.Skip) Add(facts, nameof(plan.NonFinite), plan.NonFinite);
        if (plan.Precision.ScalesLoss) Add(facts, nameof(plan.LossScaling), plan.LossScaling);
        // Where the average lies, and what is saved of it, may differ.
        if (plan.Ema is { } ema) Add(facts, nameof(plan.Ema), ema with { OnHost = false, SaveBoth = false });
        Add(facts, nameof(plan.Precision), plan.Precision);
        Add(facts, nameof(plan.ClipSkip), plan.ClipSkip);
        Add(facts, nameof(plan.MaxTokenLength), plan.MaxTokenLength);
        // States of before the option was there say nothing of it.
        if (!plan.PadTokens) Add(facts, nameof(plan.PadTokens), plan.PadTokens);
        Add(facts, nameof(plan.UseAttentionMask), plan.UseAttentionMask);
        Add(facts, nameof(plan.WeightedCaptions), plan.WeightedCaptions);
        Add(facts, nameof(plan.Seed), plan.Seed);
        Add(facts, nameof(plan.Noise), plan.Noise);
        Add(facts, nameof(plan.Timesteps), plan.Timesteps);
        Add(facts, nameof(plan.Loss), plan.Loss);
        if (plan.ZeroTerminalSnr) Add(facts, nameof(plan.ZeroTerminalSnr), plan.ZeroTerminalSnr);
        // Likewise. All else of memory changes nothing that is learnt, but for rounding.
        if (plan.Memory.QuantizedWeights is { } weights) Add(facts, "Memory.QuantizedWeights", weights);
        if (plan.Memory.TokenMerging is { } merging) Add(facts, "Memory.TokenMerging", merging);
        Add(facts, "Cache.Latents", plan.Cache.Latents);
        return facts;
    }

    /// <summary>What must be the same in all processes that train together: besides what is learnt, all that they wait for each other
    /// for.</summary>
    public static IReadOnlyDictionary<string, string> OfProcess(
        TrainingPlan plan, IReadOnlyDictionary<string, string> learnt, ProcessFacts own)
    {
        var facts = new OrderedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in learnt) facts[name] = value;
        facts["StableTune"] = typeof(PlanFacts).Assembly.GetName().Version?.ToString() ?? "";
        Add(facts, nameof(plan.Length), plan.EffectiveLength.ToString());
        Add(facts, "Devices", Math.Max(1, plan.Distributed.Devices.Count));
        Add(facts, "Images", own.Dataset);
        Add(facts, "Model's weights", own.Weights);
        Add(facts, "Model's prediction", own.Prediction);
        Add(facts, "State", own.State);
        Add(facts, nameof(plan.Start), plan.Start);
        Add(facts, nameof(plan.Validation), plan.Validation);
        Add(facts, "Cache.LatentsToDisk", plan.Cache.LatentsToDisk);
        Add(facts, "Cache.TextEncoderOutputsToDisk", plan.Cache.TextEncoderOutputsToDisk);
        Add(facts, "Samples", plan.Samples is null ? null : plan.Samples with { Folder = null, Prompts = [] });
        Add(facts, "Samples.Prompts", plan.Samples?.Prompts.Count);
        return facts;
    }

    /// <summary>One line for each fact that differs: "Optimizer.Beta1 is 0.95, and was 0.9".</summary>
    public static IEnumerable<string> Differences(IReadOnlyDictionary<string, string> now, IReadOnlyDictionary<string, string> then) =>
        from key in now.Keys.Union(then.Keys)
        // A state of before an option was there says nothing of it.
        let here = now.GetValueOrDefault(key, NotSet)
        let there = then.GetValueOrDefault(key, NotSet)
        where here != there
        select $"{key} is {here}, and was {there}";

    private static void Add(IDictionary<string, string> facts, string name, object? value, int depth = 0)
    {
        switch (value)
        {
            case null: facts[name] = NotSet; break;
            case string text: facts[name] = text; break;
            case Warmup or CurvePoints or StepRules or RampShape: facts[name] = value.ToString()!; break;
            case IFormattable or bool: facts[name] = Convert.ToString(value, CultureInfo.InvariantCulture)!; break;
            case IDictionary map: AddMap(facts, name, map, depth); break;
            case IEnumerable list: AddList(facts, name, list, depth); break;
            default: AddMembers(facts, name, value, depth); break;
        }
    }

    private static void AddMap(IDictionary<string, string> facts, string name, IDictionary map, int depth)
    {
        foreach (DictionaryEntry entry in map) Add(facts, $"{name}.{entry.Key}", entry.Value, depth + 1);
    }

    private static void AddList(IDictionary<string, string> facts, string name, IEnumerable list, int depth)
    {
        var count = 0;
        foreach (var item in list) Add(facts, $"{name}[{count++}]", item, depth + 1);
        if (count == 0) facts[name] = "empty";
    }

    private static void AddMembers(IDictionary<string, string> facts, string name, object value, int depth)
    {
        var type = value.GetType();
        facts[name] = type.Name;
        // Records print themselves: their members are their value.
        if (depth > Deepest || type.GetMethod("<Clone>$") is null) return;
        foreach (var property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .OrderBy(property => property.Name, StringComparer.Ordinal))
        {
            if (property.GetIndexParameters().Length == 0 && property.CanRead && property.SetMethod is not null)
                Add(facts, $"{name}.{property.Name}", property.GetValue(value), depth + 1);
        }
    }
}
