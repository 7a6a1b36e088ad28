using System.Text.RegularExpressions;

namespace StableTune.Documentation.Tests;

/// <summary>One block of C# in a page, and the file that a reader would make of it.</summary>
/// <param name="Page">The page's path from the repository's root.</param>
/// <param name="Line">The line in the page on which the code begins, from 1.</param>
/// <param name="Code">The code.</param>
internal sealed partial record CodeBlock(string Page, int Line, string Code)
{
    /// <summary>What the SDK and a reader's project import everywhere.</summary>
    private const string ImplicitUsings = "using System; using System.Collections.Generic; using System.IO; using System.Linq; using "
        + "System.Net.Http; using System.Threading; using System.Threading.Tasks; ";

    /// <summary>A fragment that names no namespace stands in a file that knows all.</summary>
    private const string AllUsings =
        "using StableTune.Adapters; using StableTune.Checkpoints; using StableTune.Data; using StableTune.Diffusion; using "
            + "StableTune.Imaging; "
        + "using StableTune.Losses; using StableTune.Models; using StableTune.Optimizers; using StableTune.Preparation; using "
            + "StableTune.Samplers; "
        + "using StableTune.Schedules; using StableTune.Tensors; using StableTune.Torch; using StableTune.Trainables; using "
            + "StableTune.Training; "
        + "using TorchSharp; using static TorchSharp.torch; ";

    public static IEnumerable<CodeBlock> In(string page, string text) => Fence().Matches(text.ReplaceLineEndings("\n")).Select(match =>
        new CodeBlock(page, text.AsSpan(0, match.Groups["code"].Index).Count('\n') + 1, match.Groups["code"].Value));

    /// <summary>A source file: usings, then types, then the statements as a method. Lines keep the numbers that they have in the
    /// page.</summary>
    public string ToSource()
    {
        var code = Code;
        var usings = Take(ref code, Using());
        var types = Take(ref code, TypeDeclaration());
        var imports = ImplicitUsings + (usings.Length > 0 ? "" : "using StableTune; " + AllUsings);
        return $$"""
            {{imports}}
            #line {{Line}} "{{Page}}"
            {{usings}}
            namespace Reader;
            #line {{Line}} "{{Page}}"
            {{types}}
            internal sealed class Fragment : global::StableTune.Documentation.Tests.Surroundings
            {
                internal {{(code.Contains("await ", StringComparison.Ordinal) ? "async Task" : "void")}} Run()
                {
            #line {{Line}} "{{Page}}"
            {{Complete(code)}}
                }
            }
            """;
    }

    /// <summary>Cuts out what matches; its lines stay, empty, so that line numbers hold.</summary>
    private static string Take(ref string code, Regex what)
    {
        var taken = string.Concat(what.Matches(code).Select(m => m.Value));
        code = what.Replace(code, match => new string('\n', match.Value.Count(c => c == '\n')));
        return taken;
    }

    /// <summary>A fragment that begins with a dot continues a builder's chain.</summary>
    private static string Complete(string code)
    {
        var start = code.TrimStart();
        if (!start.StartsWith('.')) return code;
        var builder = start.StartsWith(".Add", StringComparison.Ordinal) ? nameof(DatasetBuilder) : nameof(TrainerBuilder);
        return $"_ = new {builder}(){code.TrimEnd().TrimEnd(';')};";
    }

    [GeneratedRegex(@"^```csharp\n(?<code>.*?)^```$", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Fence();

    [GeneratedRegex(@"^using (static )?[\w.]+;\n", RegexOptions.Multiline)]
    private static partial Regex Using();

    [GeneratedRegex(@"^(public|internal) (sealed |static |abstract )*(class|record|struct|interface) .*?^\}\n",
        RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex TypeDeclaration();
}
