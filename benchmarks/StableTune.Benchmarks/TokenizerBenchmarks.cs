using System.Text.RegularExpressions;
using BenchmarkDotNet.Attributes;
using Microsoft.ML.Tokenizers;
using StableTune.Models;

namespace StableTune.Benchmarks;

/// <summary>
/// What encoding a prompt for CLIP costs, of words that were met before and of words never seen, against Microsoft.ML.Tokenizers with
/// normalizer, expression and cache of its own. The time is that of one prompt.
/// </summary>
[MemoryDiagnoser]
public partial class TokenizerBenchmarks
{
    private const int Prompts = 500, KnownWords = 5000;

    private readonly Random _random = new(5);
    private string[] _known = null!, _prompts = null!;
    private ClipTokenizer _tokenizer = null!;
    private BpeTokenizer _package = null!;

    /// <summary>Words in a prompt.</summary>
    [Params(8, 100)]
    public int Words { get; set; }

    /// <summary>Whether the words were met before.</summary>
    [Params(true, false)]
    public bool Met { get; set; }

    [GlobalSetup]
    public void SetUp()
    {
        _known = [.. Enumerable.Range(0, KnownWords).Select(_ => NewWord())];
        Renew();
        foreach (var prompt in _prompts)
            if (!_package.EncodeToIds(prompt).SequenceEqual(_tokenizer.EncodeBody(prompt)))
                throw new InvalidOperationException($"The ids of \"{prompt}\" differ.");
    }

    /// <summary>Words are never seen by tokenizers that are new, too: a full cache would spare them the remembering.</summary>
    [IterationSetup]
    public void Renew()
    {
        if (Met && _tokenizer is not null) return;
        _prompts = [.. Enumerable.Range(0, Prompts).Select(_ => string.Join(' ', Enumerable.Range(0, Words).Select(Word)))];
        var vocabulary = ClipVocabulary.Embedded(ClipVocabulary.FullMergeCount);
        _tokenizer = new ClipTokenizer(vocabulary);
        _package = BpeTokenizer.Create(new BpeOptions(vocabulary.Ids)
        {
            Merges = vocabulary.Merges, ByteLevel = true, EndOfWordSuffix = "</w>", Normalizer = new LowerCaseNormalizer(),
            PreTokenizer = new RegexPreTokenizer(ClipWords(), null),
        });
    }

    [Benchmark(Baseline = true, OperationsPerInvoke = Prompts, Description = "BpeTokenizer alone")]
    public int Package()
    {
        var count = 0;
        foreach (var prompt in _prompts) count += _package.EncodeToIds(prompt).Count;
        return count;
    }

    [Benchmark(OperationsPerInvoke = Prompts, Description = "ClipTokenizer")]
    public int StableTune()
    {
        var count = 0;
        foreach (var prompt in _prompts) count += _tokenizer.EncodeBody(prompt).Count;
        return count;
    }

    [GeneratedRegex(@"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")]
    private static partial Regex ClipWords();

    private string Word(int place) => (Met ? _known[_random.Next(KnownWords)] : NewWord()) + (place % 5 == 4 ? "," : "");

    private string NewWord() => string.Concat(Enumerable.Range(0, _random.Next(3, 12)).Select(_ => (char)('a' + _random.Next(26))));
}
