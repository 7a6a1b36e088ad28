using StableTune.Adapters;
using StableTune.Formats;
using StableTune.Models;
using StableTune.Tensors;

namespace StableTune.Checkpoints;

/// <summary>A sum of models with factors, some of them by block.</summary>
/// <param name="Models">The models; the first gives form and what is not merged.</param>
/// <param name="Factors">The factor of each.</param>
/// <param name="ByBlock">The factors for a weight of a block.</param>
internal sealed record ModelMergePlan(IReadOnlyList<string> Models, double[] Factors, Func<double, double[]> ByBlock)
{
    /// <summary>Checks everything, and writes the sum.</summary>
    public SavedModel Run(
        string output, ModelMergeOptions options, IEnumerable<OptionProblem> problems, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(output);
        InvalidOptionsException.ThrowIfAny(options.Validate().Concat(problems).Concat(ToolModelPaths.InputProblems(Models))
            .Concat(ToolModelPaths.OutputProblems(output, Models)));
        var opened = new List<OpenModel>();
        try
        {
            foreach (var model in Models) Open(opened, model, options, cancellationToken);
            var blocks = Blocks(opened[0], options);
            using var first = ModelContents.Of(opened[0].Description);
            var parts = first.Parts.Select(part => options.Parts.HasFlag(part.Part) ? Merged(part, opened, options, blocks) : part);
            var contents = first.With([.. parts]);
            var saving = options.Saving with { MergedFrom = options.Saving.MergedFrom ?? Titles(opened) };
            return ModelSaver.Write(contents, output, saving, cancellationToken);
        }
        finally
        {
            opened.ForEach(model => model.Dispose());
        }
    }

    private static void Open(List<OpenModel> opened, string model, ModelMergeOptions options, CancellationToken cancellationToken)
    {
        // What is not merged is needed of the first alone.
        var parts = opened.Count == 0 ? ModelParts.All : options.Parts;
        opened.Add(OpenModel.Open(model, options.Reading with { Parts = parts }, cancellationToken));
        opened[0].CheckSameKind(opened[^1]);
    }

    private static ModelBlocks? Blocks(OpenModel first, ModelMergeOptions options)
    {
        if (options.BlockWeights is not { } weights) return null;
        var blocks = new ModelBlocks(first.Description.UNet!);
        return weights.Count == blocks.Count ? blocks : throw new InvalidOptionsException([new(
            $"{nameof(ModelMergeOptions)}.{nameof(options.BlockWeights)}", $"{weights.Count} numbers",
            $"this model's UNet has {blocks.Count} blocks", $"give {blocks.Count} numbers")]);
    }

    private PartContents Merged(PartContents part, List<OpenModel> models, ModelMergeOptions options, ModelBlocks? blocks) =>
        part with { Tensors = type => [.. models[0].Tensors(part.Folder).Select(entry => Payload(part, entry.Key, models, type,
            blocks is not null && part.Part == ModelParts.UNet ? ByBlock(options.BlockWeights![blocks.IndexOf(entry.Key)]) : Factors))] };

    private static TensorPayload Payload(PartContents part, string name, List<OpenModel> models, ScalarType? type, double[] factors)
    {
        var infos = models.Select(model => model.Tensors(part.Folder).GetValueOrDefault(name)).ToList();
        var (first, file) = (infos[0]!, models[0].Part(part.Folder)!.Weights.Source);
        if (infos.Contains(null) || !torch.is_floating_point(first.DType.ToScalarType())) return StatePayloads.Of(file, first, type, name);
        for (var i = 1; i < infos.Count; i++)
            if (!infos[i]!.Shape.SequenceEqual(first.Shape))
                throw new InvalidFileException(models[i].Name,
                    $"'{part.Folder}.{name}' is {infos[i]}, while in {models[0].Name} it is {first}.", "Merge models of one architecture.");
        var stored = type ?? first.DType.ToScalarType();
        return new TensorPayload(name, stored.ToTensorDType(), first.Shape, stream =>
        {
            using var scope = NewDisposeScope();
            using var frozen = no_grad();
            var sum = zeros([.. first.Shape], ScalarType.Float32);
            for (var i = 0; i < infos.Count; i++)
            {
                using var step = NewDisposeScope();
                if (factors[i] == 0) continue;
                sum.add_(models[i].Part(part.Folder)!.Weights.LoadFinite(infos[i]!, ScalarType.Float32), alpha: factors[i]);
            }

            StatePayloads.Of([(name, sum)], stored).Single().Write(stream);
        });
    }

    private static string Titles(List<OpenModel> models) => ToolMetadata.MergedFrom(models.Select(model =>
        (model.Name, File.Exists(model.Name) ? model.Description.Parts[0].Weights.Metadata : new Dictionary<string, string>())));
}
