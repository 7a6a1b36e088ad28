using System.CommandLine;
using System.Globalization;
using StableTune.Data;
using StableTune.Preparation;

namespace StableTune.Tool.Commands;

/// <summary>How commands that prepare images read words and say what they did.</summary>
internal static class PreparationWords
{
    /// <summary>The tags of a list: <c>a, b</c>.</summary>
    internal static IReadOnlyList<string> Tags(string? words, string separator = ",") =>
        (words ?? "").Split(separator, StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Two numbers: <c>512,768</c>.</summary>
    /// <exception cref="InvalidOptionsException">They are not two positive numbers.</exception>
    internal static (double First, double Second)? Pair(string option, string? words)
    {
        if (words is null) return null;
        var parts = words.Split(',', StringSplitOptions.TrimEntries);
        if (parts.Length == 2 && Number(parts[0]) is { } first && Number(parts[1]) is { } second) return (first, second);
        throw new InvalidOptionsException([new(option, words, "two positive numbers are wanted, with a comma between them",
            "write for instance 512,512")]);

        static double? Number(string text) => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
            && number is > 0 and < 1e9 ? number : null;
    }

    /// <summary>Where a model is: in the guides' folder of models when it is there, otherwise on the hub, with that folder as its
    /// cache.</summary>
    /// <param name="repository">The repository or path.</param>
    /// <param name="isGiven">Whether it was asked for; then a model of any name in the folder does not stand for it.</param>
    /// <param name="folder">The guides' folder; null for none.</param>
    /// <param name="renew">Whether the hub is asked for a newer one, whatever the folder holds.</param>
    internal static (string Model, HubOptions Hub) Model(string repository, bool isGiven, string? folder, bool renew)
    {
        if (folder is not null && !renew)
        {
            var named = Path.Combine(folder, repository.Replace('/', '_'));
            if (Directory.Exists(named)) return (named, new());
            if (!isGiven && Directory.Exists(folder) && Directory.EnumerateFiles(folder, "*.onnx").Any()) return (folder, new());
        }

        return (repository, new() { CacheFolder = folder, CheckForUpdates = renew });
    }

    /// <summary>What happens to images that have results already.</summary>
    /// <exception cref="InvalidOptionsException">More than one of the flags is set.</exception>
    internal static ExistingText Existing(ParseResult arguments, Option<bool> append, Option<bool> overwrite, Option<bool> skip)
    {
        (Option<bool> Flag, ExistingText Way)[] ways =
            [(skip, ExistingText.Skip), (overwrite, ExistingText.Overwrite), (append, ExistingText.Append)];
        var wanted = ways.Where(way => arguments.GetValue(way.Flag)).ToList();
        return wanted.Count switch
        {
            0 => ExistingText.Refuse,
            1 => wanted[0].Way,
            _ => throw new InvalidOptionsException([new(wanted[0].Flag.Name, "set", $"{wanted[1].Flag.Name} is set too, and an image has "
                + "one text", "keep one of them")]),
        };
    }

    /// <summary>Says what was done, and which images were left out.</summary>
    internal static void Report(this ToolRun run, PreparationReport report) => run.Output.WriteLine(report.ToString());

    /// <summary>Says what was tagged, and how often where that was asked for.</summary>
    internal static void Report(this ToolRun run, TaggingReport report, bool frequencies)
    {
        run.Report(report.Files);
        if (!frequencies) return;
        foreach (var (tag, images) in report.Frequencies) run.Output.WriteLine($"{tag}: {images.ToString(CultureInfo.InvariantCulture)}");
    }
}
