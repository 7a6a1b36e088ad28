using StableTune.Models;
using StableTune.Tensors;

namespace StableTune.Preparation;

/// <summary>Reads BLIP models: the original files, and the hub's folders.</summary>
internal static class BlipLoader
{
    /// <summary>A captioner of the model that a name says.</summary>
    /// <exception cref="InvalidFileException">There is no such model, or its files are faulty or do not belong together.</exception>
    internal static BlipCaptioner Load(string name, BlipCaptionerOptions options, IProgress<WorkProgress>? progress,
        CancellationToken cancellationToken)
    {
        var files = BlipFiles.Find(name, options.Hub, progress, cancellationToken);
        using var weights = WeightFile.Open(files.Weights);
        var configuration = Configuration(files, weights, options);
        var tokenizer = files.Folder is { } folder ? BertTokenizer.FromFolder(folder)
            : WithOwnWords(BertTokenizer.FromFolder(
                files.VocabularyFolder(options.Vocabulary, options.Hub, progress, cancellationToken)));
        var language = new BlipLanguage(tokenizer, configuration.Start ?? tokenizer.AddedTokens[BlipLanguage.StartWord],
            configuration.End ?? tokenizer.EndId, PieceByPiece: files.Folder is not null);
        Check(files, language, configuration.Architecture.Text.VocabularySize);
        var architecture = Resized(configuration.Architecture, options.ImageSize);
        var model = Read(weights, architecture, options, progress, cancellationToken);
        try
        {
            return new(model, language, options) { Mean = configuration.Mean, Spread = configuration.Spread };
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private static BlipConfiguration Configuration(BlipFiles files, WeightFile weights, BlipCaptionerOptions options)
    {
        if (files.Folder is not { } folder)
            return options.Architecture is { } said ? new(said) : BlipConfiguration.OfFile(weights.Source);
        if (options.Architecture is not null)
            throw new InvalidOptionsException([new($"{nameof(BlipCaptionerOptions)}.{nameof(options.Architecture)}", "set",
                $"{folder} has a config.json, which says it", "leave it out")]);
        return BlipConfiguration.OfFolder(folder);
    }

    /// <summary>The original model has two words behind the vocabulary of BERT.</summary>
    private static BertTokenizer WithOwnWords(BertTokenizer tokenizer) => (BertTokenizer)tokenizer.WithAddedTokens(
        new Dictionary<string, int>
        {
            [BlipLanguage.StartWord] = tokenizer.Vocabulary.Values.Max() + 1,
            [BlipLanguage.EncoderWord] = tokenizer.Vocabulary.Values.Max() + 2,
        });

    private static void Check(BlipFiles files, BlipLanguage language, int rows)
    {
        if (language.Start < rows && language.End < rows && language.Tokenizer.LargestId < rows) return;
        throw new InvalidFileException(files.Folder ?? files.Weights,
            $"the model has {rows} tokens, but the vocabulary goes up to {language.Tokenizer.LargestId}, the start token is "
                + $"{language.Start} and the end token {language.End}.",
            "Take the vocabulary that belongs to the model: bert-base-uncased's for the published ones.");
    }

    private static BlipOptions Resized(BlipOptions architecture, int? side)
    {
        if (side is not { } pixels) return architecture;
        var resized = architecture with { Vision = architecture.Vision with { ImageSize = pixels } };
        if (resized.Validate().FirstOrDefault() is { } problem)
            throw new InvalidOptionsException(
                [problem with { Option = $"{nameof(BlipCaptionerOptions)}.{nameof(BlipCaptionerOptions.ImageSize)}" }]);
        return resized;
    }

    private static BlipModel Read(WeightFile weights, BlipOptions architecture, BlipCaptionerOptions options,
        IProgress<WorkProgress>? progress, CancellationToken cancellationToken)
    {
        CheckTied(weights);
        var positions = weights.Contains(BlipNames.OriginalPositions) ? BlipNames.OriginalPositions : BlipNames.Positions;
        BlipModel model;
        using (LayerInitialization.WithoutMemory(options.WeightType)) model = new BlipModel(architecture);
        try
        {
            // Positions are read apart: they fit other sizes of images too.
            string? Rename(string name) => name == positions ? null : BlipNames.OfModel(name);
            var report = ModuleWeights.LoadInto(model, weights, Rename, options.WeightType, new ModuleLoadOptions
            {
                Progress = progress is null ? null : new Percent(progress), CancellationToken = cancellationToken, CheckNumbers = true,
            });
            (report with { Missing = [.. report.Missing.Where(name => name != BlipNames.Positions)] }).ThrowIfIncomplete();
            if (report.NotFinite is [var broken, ..])
            {
                var stored = weights.Tensors.First(info => Rename(info.Name) == broken);
                throw FiniteNumbers.Broken(weights, stored, stored.Name, ModuleTensors.Named(model)[broken],
                    $"Load it as Float32 or BFloat16: {nameof(BlipCaptionerOptions)}.{nameof(options.WeightType)}.",
                    cancellationToken: cancellationToken);
            }

            SetPositions(model, weights, positions, options.WeightType);
            model.SetRequiresGrad(false);
            model.eval();
            return options.Device is { type: not DeviceType.CPU } device ? model.MoveTo(device) : model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private static void SetPositions(BlipModel model, WeightFile weights, string name, ScalarType type)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        if (!weights.Source.TryGet(name, out var info) || info.Shape is not [1, > 1, var width] || width != model.Options.Vision.HiddenSize
            || Math.Pow(Math.Round(Math.Sqrt(info.Shape[1] - 1)), 2) != info.Shape[1] - 1)
            throw new InvalidFileException(weights.Path, $"the tensor '{name}' is missing, or no square of places of width "
                + $"{model.Options.Vision.HiddenSize}: [{string.Join(", ", info?.Shape ?? [])}].", "Take the file of a BLIP model.");
        var positions = FiniteNumbers.Checked(weights.Path, name, weights.Load(name, ScalarType.Float32));
        if (positions.shape[1] != model.Options.Vision.Places) positions = model.Vision.PositionsFor(positions);
        model.Vision.Positions.SetData(positions.to(type));
    }

    /// <summary>The scores of tokens use the table of words: a file that has two tables which differ is of another model.</summary>
    private static void CheckTied(WeightFile weights)
    {
        if (!weights.Contains(BlipNames.TiedWords) || !weights.Contains(BlipNames.Words)) return;
        using var scope = NewDisposeScope();
        // NaN differs from itself.
        var (words, tied) = (Load(BlipNames.Words), Load(BlipNames.TiedWords));
        Tensor Load(string name) => FiniteNumbers.Checked(weights.Path, name, weights.Load(name));

        if (!words.shape.SequenceEqual(tied.shape) || !words.eq(tied).all().item<bool>())
            throw new InvalidFileException(weights.Path,
                $"'{BlipNames.TiedWords}' differs from '{BlipNames.Words}'; BLIP has one table for both.",
                "Take the file of a BLIP model.");
    }

    private sealed class Percent(IProgress<WorkProgress> progress) : IProgress<double>
    {
        public void Report(double value) => progress.Report(new() { Stage = "loading", Done = (int)(100 * value), Total = 100 });
    }
}
