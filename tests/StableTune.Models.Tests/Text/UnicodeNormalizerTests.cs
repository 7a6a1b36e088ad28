namespace StableTune.Models.Tests;

public class UnicodeNormalizerTests
{
    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("e\u0301", "\u00e9")]
    [InlineData("\u212b", "\u00c5")]                       // a singleton: Angstrom sign to A with ring
    [InlineData("\u1100\u1161\u11a8", "\uac01")]           // Hangul jamo
    [InlineData("\uac00\u11a8", "\uac01")]
    [InlineData("\uac01", "\uac01")]
    [InlineData("a\u0307\u0323", "\u1ea1\u0307")]          // marks are put in order before they compose
    [InlineData("\u1e0b\u0323", "\u1e0d\u0307")]
    [InlineData("a\u0305\u0301", "a\u0305\u0301")]         // blocked by a mark of the same class
    [InlineData("\u0958", "\u0915\u093c")]                 // excluded from composition
    [InlineData("\u0344", "\u0308\u0301")]
    [InlineData("\U0001d15e", "\U0001d157\U0001d165")]
    [InlineData("\u0f71\u0f72\u0f74", "\u0f71\u0f72\u0f74")]
    [InlineData("\ufb01\uff41", "\ufb01\uff41")]           // compatibility characters stay
    public void FormC_KnownCases(string text, string expected) => Assert.Equal(expected, UnicodeNormalizer.FormC(text));
}
