namespace StableTune.Tests;

/// <summary>Texts as messages show them.</summary>
public sealed class ShortTextTests
{
    [Fact]
    public void Of_LongText_IsItsBeginning()
    {
        Assert.Equal("abc", ShortText.Of("abc"));
        Assert.Equal(new string('x', 60) + "...", ShortText.Of(new string('x', 61)));
        Assert.Equal("ab...", ShortText.Of("abc", 2));
    }
}
