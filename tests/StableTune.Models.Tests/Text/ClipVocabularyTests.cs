using System.Security.Cryptography;
using System.Text;
using StableTune.Testing;

namespace StableTune.Models.Tests;

public class ClipVocabularyTests
{
    [Fact]
    public void Full_HasTheKnownTokens()
    {
        var vocabulary = ClipVocabulary.Full;
        Assert.Equal(49_408, vocabulary.Ids.Count);
        Assert.Equal(Enumerable.Range(0, 49_408), vocabulary.Ids.Values.Order());
        foreach (var (token, id) in new[] { ("!", 0), ("a", 64), ("¡", 94), ("Ā", 188), ("!</w>", 256), ("a</w>", 320), ("in", 512),
            ("cat</w>", 2368), ("jekyll</w>", 49405), ("<|startoftext|>", 49406), ("<|endoftext|>", 49407) })
            Assert.Equal((token, id), (token, vocabulary.Ids[token]));
    }

    [Fact]
    public void Full_MergesAreThoseOfClip()
    {
        // As stated in Resources/THIRD-PARTY.md; equal to the reference tokenizer's merges.txt without its first line.
        var text = string.Concat(ClipVocabulary.Full.Merges.Select(merge => merge + "\n"));
        Assert.Equal("d308b7377a8ceaa9707a21614fe8c831b9196e197b7aeb69833359362907af02",
            Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text))));
    }

    [Theory]
    [InlineData(ClipVocabulary.FullMergeCount, 49_408)]
    [InlineData(486, 1000)]
    [InlineData(0, 514)]
    public void WriteFiles_ThenFromFolder_GivesTheSame(int mergeCount, int tokens)
    {
        using var folder = new TemporaryFolder();
        ClipVocabulary.WriteFiles(folder.Path, mergeCount);
        var read = ClipVocabulary.FromFolder(folder.Path);
        var written = ClipVocabulary.Embedded(mergeCount);

        Assert.Equal(tokens, read.Ids.Count);
        Assert.Equal(written.Ids.OrderBy(entry => entry.Value), read.Ids.OrderBy(entry => entry.Value));
        Assert.Equal(written.Merges, read.Merges);
    }

    [Theory]
    [InlineData(ClipVocabulary.FullMergeCount, "3f0c4f7d2086b61b38487075278ea9ed04edb53a03cbb045b86c27190fa8fb69",
        "9fd691f7c8039210e0fced15865466c65820d09b63988b0174bfe25de299051a")]
    [InlineData(486, "9c642e3ead1791638d0335eca5f774579c1d18e2684d7a3101ca1dc8c98c051a",
        "ec2828ca8b95b39dbc78631cca7b305a2b010980fc42baaa59ebb0992551ffcf")]
    public void WriteFiles_BytesAreThoseOfTheReference(int mergeCount, string vocabularyHash, string mergesHash)
    {
        using var folder = new TemporaryFolder();
        ClipVocabulary.WriteFiles(folder.Path, mergeCount);
        Assert.Equal(vocabularyHash, Hash(folder.File("vocab.json")));
        Assert.Equal(mergesHash, Hash(folder.File("merges.txt")));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(ClipVocabulary.FullMergeCount + 1)]
    public void Embedded_MergeCountOutOfRange_Throws(int mergeCount) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => ClipVocabulary.Embedded(mergeCount));

    private static string Hash(string path) => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)));
}
