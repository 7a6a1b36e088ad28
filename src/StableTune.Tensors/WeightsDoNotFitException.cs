using System.Text;

namespace StableTune.Tensors;

/// <summary>A weights file does not fit the model it was to be loaded into: names are missing or unexpected, or shapes differ.</summary>
public sealed class WeightsDoNotFitException : InvalidFileException
{
    /// <summary>Names of each kind that the message lists: enough to see what is going on, where a wrong model would fill thousands of
    /// lines.</summary>
    private const int MostListed = 12;

    /// <summary>Creates the exception; its message counts the names of the report and lists the first of each kind.</summary>
    /// <param name="report">What did not fit.</param>
    /// <param name="remedy">What the user can do; null for the usual advice.</param>
    public WeightsDoNotFitException(LoadReport report, string? remedy = null)
        : base(report.Path, Fault_(report), remedy ?? "Is it the right file for this model, and does its configuration belong to it?")
    {
        Report = report;
    }

    /// <summary>All names, for programs.</summary>
    public LoadReport Report { get; }

    private static string Fault_(LoadReport report)
    {
        var text = new StringBuilder("the weights do not fit the model:");
        List(text, "missing in the file", report.Missing);
        List(text, "of another shape", report.Mismatched);
        List(text, "in the file but not in the model", report.Unexpected);
        return text.Append('\n').ToString();
    }

    private static void List<T>(StringBuilder text, string what, IReadOnlyList<T> lines)
    {
        if (lines.Count == 0) return;
        text.Append('\n').Append("  ").Append(lines.Count).Append(' ').Append(what).Append(':');
        foreach (var line in lines.Take(MostListed)) text.Append("\n    ").Append(line);
        if (lines.Count > MostListed) text.Append("\n    ... and ").Append(lines.Count - MostListed).Append(" more");
    }
}
