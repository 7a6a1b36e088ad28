using System.Security.Cryptography;
using System.Text.Json;
using StableTune.Training;

namespace StableTune.Samples;

/// <summary>One result, as the register has it.</summary>
/// <param name="File">Its path.</param>
/// <param name="Sha256">The hash of its bytes, in hexadecimal digits.</param>
/// <param name="Bytes">Its size.</param>
/// <param name="Reason">Why it was saved.</param>
/// <param name="Step">Optimizer steps done by then.</param>
/// <param name="Model">The base model.</param>
/// <param name="Seed">The seed of the run.</param>
internal sealed record RegisteredResult(string File, string Sha256, long Bytes, string Reason, int Step, string? Model, long Seed);

/// <summary>Writes each result, and enters it into a register of all runs: a JSON file that is there whole or not at all.</summary>
/// <param name="result">Writes the result itself.</param>
/// <param name="path">The register.</param>
internal sealed class RegisterSaver(ISaver result, string path) : ISaver
{
    private static readonly JsonSerializerOptions s_indented = new() { WriteIndented = true };

    /// <summary>Asked when the run is built: a register that cannot be read is told before a step is spent.</summary>
    public IEnumerable<OptionProblem> Validate()
    {
        var problem = Problem();
        return problem is null ? result.Validate() : result.Validate().Append(problem);
    }

    public IEnumerable<OptionProblem> Fits(TrainingPlan plan) => result.Fits(plan);

    public IEnumerable<SaverOutput> Outputs(TrainingPlan plan) => result.Outputs(plan);

    public IReadOnlyList<string> Save(SaveMoment moment)
    {
        var files = result.Save(moment);
        var entries = Read();
        entries.AddRange(files.Select(file => new RegisteredResult(file, HashOf(file), new FileInfo(file).Length,
            moment.Reason.ToString(), moment.Step, moment.Plan.ModelPath, moment.Plan.Seed)));
        AtomicFile.WriteText(path, JsonSerializer.Serialize(entries, s_indented));
        return files;
    }

    private OptionProblem? Problem()
    {
        try
        {
            Read();
            return null;
        }
        catch (Exception e) when (e is JsonException or IOException)
        {
            return new OptionProblem("RegisterSaver.path", path, $"the register cannot be read: {e.Message}",
                "mend the file, or name another");
        }
    }

    private List<RegisteredResult> Read() =>
        File.Exists(path) ? JsonSerializer.Deserialize<List<RegisteredResult>>(File.ReadAllText(path)) ?? [] : [];

    private static string HashOf(string file)
    {
        using var stream = File.OpenRead(file);
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }
}
