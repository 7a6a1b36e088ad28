using System.Globalization;
using StableTune.Formats;
using StableTune.Imaging;
using StableTune.Samplers;

namespace StableTune.Configuration;

/// <summary>A file of prompts as sd-scripts has them: lines with options behind <c>--</c>, TOML, or JSON.</summary>
internal static class SamplePromptFile
{
    private static readonly string[] s_otherFamilies = ["g", "ctr", "rcfg", "fs"];

    /// <summary>What a file says.</summary>
    /// <param name="Prompts">The prompts, in the order of the file.</param>
    /// <param name="Seeded">Whether each names its seed.</param>
    /// <param name="Notes">What was not understood.</param>
    public sealed record Result(IReadOnlyList<TextToImageOptions> Prompts, IReadOnlyList<bool> Seeded, IReadOnlyList<string> Notes);

    /// <summary>Reads a file.</summary>
    /// <exception cref="InvalidFileException">It is missing, of another kind, or its notation is wrong.</exception>
    public static Result Read(string path, SamplerCatalog samplers)
    {
        if (!File.Exists(path)) throw new InvalidFileException(path, "there is no such file.", "Correct the name.");
        var reader = new Reader(path, samplers);
        switch (Path.GetExtension(path).ToLowerInvariant())
        {
            case ".txt": reader.Lines(File.ReadAllText(path)); break;
            case ".toml": reader.Toml(TomlDocument.Read(path)); break;
            case ".json": reader.Json(path); break;
            default:
                throw new InvalidFileException(path, "prompts stand in .txt, .toml or .json files.", "Give the file one of these endings.");
        }

        return reader.Prompts.Count > 0 ? new Result(reader.Prompts, reader.Seeded, reader.Notes)
            : throw new InvalidFileException(path, "it holds no prompt.", "Write one on a line.");
    }

    private sealed class Reader(string path, SamplerCatalog samplers)
    {
        public List<TextToImageOptions> Prompts { get; } = [];

        public List<bool> Seeded { get; } = [];

        public List<string> Notes { get; } = [];

        public void Lines(string text)
        {
            var number = 0;
            foreach (var line in text.Split('\n'))
            {
                number++;
                if (line.Trim() is { Length: > 0 } prompt && prompt[0] != '#') Line(prompt, number);
            }
        }

        public void Toml(TomlDocument document)
        {
            if (document.Root.TryGet("prompt", out var entry) && entry.Value.AsTable is { } usual
                && usual.TryGet("subset", out var list) && list.Value.AsArray is { } subsets
                && subsets.All(item => item.AsTable is not null))
                foreach (var subset in subsets) Table(document, subset.AsTable!, usual);
            else
                throw new InvalidFileException(path, "it has no [[prompt.subset]].", "Begin each prompt with [[prompt.subset]].");
        }

        public void Json(string file)
        {
            // The project's reader of JSON wants a table outermost, and such files are lists.
            var document = TomlDocument.ParseJson("{\"prompts\": " + File.ReadAllText(file) + "}", file);
            if (document.Root["prompts"].AsArray is not { } list)
                throw new InvalidFileException(path, "it is no list.", "Write a list of prompts.");
            foreach (var item in list)
            {
                if (item.AsText is { } prompt) Line(prompt, item.Position.Line);
                else if (item.AsTable is { } table) Table(document, table, []);
                else throw document.Fault(item.Position, "it is neither a text nor a table.", "Write a prompt.");
            }
        }

        private void Line(string line, int number)
        {
            var parts = line.Split(" --");
            var (options, seeded) = (new TextToImageOptions { Prompt = parts[0].Trim() }, false);
            foreach (var part in parts.Skip(1))
            {
                var words = part.Trim().Split(' ', 2);
                var (name, value) = (words[0].ToLowerInvariant(), words.Length > 1 ? words[1].Trim() : "");
                options = Option(options, name, value, $"{path}: line {number}: --{name}");
                seeded |= name == "d" && long.TryParse(value, CultureInfo.InvariantCulture, out _);
            }

            Add(options, seeded);
        }

        private TextToImageOptions Option(TextToImageOptions options, string name, string value, string place)
        {
            switch (name)
            {
                case "n": return options with { NegativePrompt = value };
                case "w": return Whole(place, value) is { } width ? options with { Width = Side(width) } : options;
                case "h": return Whole(place, value) is { } height ? options with { Height = Side(height) } : options;
                case "d": return Whole(place, value) is { } seed ? options with { Seed = seed } : options;
                case "s": return Whole(place, value) is { } steps ? options with { Steps = (int)Math.Clamp(steps, 1, 1000) } : options;
                case "l": return Scale(options, place, value);
                case "ss": return options with { Sampler = Sampler(place, value) ?? options.Sampler };
                case "cn": return Control(place, value) is { } picture ? options with { ControlImage = picture } : options;
                case "am": return Strengths(place, value) is { } strengths ? options with { AdapterStrengths = strengths } : options;
                default:
                    Notes.Add(s_otherFamilies.Contains(name, StringComparer.Ordinal) ? $"{place} has no effect: it is for other model "
                        + "families." : $"{place} is no option of a prompt. Known are n, w, h, d, s, l, ss, cn, am.");
                    return options;
            }
        }

        /// <summary>"1,0.5": of each adapter, in their order.</summary>
        private double[]? Strengths(string place, string value)
        {
            var strengths = new List<double>();
            foreach (var word in value.Split(','))
            {
                if (!double.TryParse(word, NumberStyles.Float, CultureInfo.InvariantCulture, out var strength)
                    || !double.IsFinite(strength))
                {
                    Notes.Add($"{place} is \"{ShortText.Of(value)}\", which are no numbers: adapters act as they are trained.");
                    return null;
                }

                strengths.Add(strength);
            }

            return [.. strengths];
        }

        private TextToImageOptions Scale(TextToImageOptions options, string place, string value)
        {
            if (double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var scale))
                return options with { GuidanceScale = scale };
            Notes.Add($"{place} is \"{ShortText.Of(value)}\", which is no number: the default is used.");
            return options;
        }

        private void Table(TomlDocument document, TomlTable table, TomlTable usual)
        {
            var seeded = false;
            var options = new TextToImageOptions();
            foreach (var entry in usual.Where(entry => entry.Key != "subset" && !table.Contains(entry.Key)).Concat(table))
            {
                var place = $"{document.Path}: {entry.Position}: {entry.Key}";
                var name = entry.Key switch
                {
                    "negative_prompt" => "n", "width" => "w", "height" => "h", "seed" => "d", "sample_steps" => "s", "scale" => "l",
                    "sample_sampler" => "ss",
                    "adapter_multipliers" => "am", _ => "",
                };
                var value = entry.Value.AsText ?? (entry.Value.AsNumber is { } number
                    ? number.ToString("R", CultureInfo.InvariantCulture) : "");
                if (entry.Key == "prompt") options = options with { Prompt = value };
                else if (name.Length == 0) Notes.Add($"{place} is no option of a prompt.");
                else options = Option(options, name, value, place);
                seeded |= name == "d";
            }

            Add(options, seeded);
        }

        /// <summary>A control picture; names are those from the file's folder on, or from where the program runs.</summary>
        private PixelImage? Control(string place, string value)
        {
            var beside = Path.Combine(Path.GetDirectoryName(path) ?? "", value);
            if ((File.Exists(value) ? value : File.Exists(beside) ? beside : null) is { } found) return ImageFile.Load(found);
            Notes.Add($"{place} is \"{ShortText.Of(value)}\", which is no file: the picture is drawn without it.");
            return null;
        }

        private void Add(TextToImageOptions options, bool seeded)
        {
            if (options.ControlImage is { } control)
            {
                // It has the size that is drawn.
                var (width, height) = (options.Width ?? Side(control.Width), options.Height ?? Side(control.Height));
                options = options with { Width = width, Height = height, ControlImage = ImageResize.Resize(control, width, height) };
            }

            Prompts.Add(options);
            Seeded.Add(seeded);
        }

        private long? Whole(string place, string value)
        {
            if (long.TryParse(value, CultureInfo.InvariantCulture, out var number)) return number;
            Notes.Add($"{place} is \"{ShortText.Of(value)}\", which is no whole number: the default is used.");
            return null;
        }

        private ISampler? Sampler(string place, string value)
        {
            try
            {
                return samplers.Create(value);
            }
            catch (ArgumentException)
            {
                Notes.Add($"{place} is \"{ShortText.Of(value)}\", which is no known sampler: the default is used. Known are "
                    + $"{string.Join(", ", samplers.Names)}.");
                return null;
            }
        }

        /// <summary>Multiples of 8, at least 64, as the reference rounds.</summary>
        private static int Side(long pixels) => (int)Math.Clamp(pixels / 8 * 8, 64, 16384);
    }
}
