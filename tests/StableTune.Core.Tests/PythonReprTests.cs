namespace StableTune.Core.Tests;

public sealed class PythonReprTests
{
    /// <summary>What Python's repr gives. The digits of 1e-6 in full begin with 9.99e-7.</summary>
    [Theory]
    [InlineData(1e-6, "1e-06")]
    [InlineData(-1e-6, "-1e-06")]
    [InlineData(1e-4, "0.0001")]
    [InlineData(0.00012, "0.00012")]
    [InlineData(1e-5, "1e-05")]
    [InlineData(2.5e-7, "2.5e-07")]
    [InlineData(5e-5, "5e-05")]
    [InlineData(1e-8, "1e-08")]
    [InlineData(1e-7, "1e-07")]
    [InlineData(3e-6, "3e-06")]
    [InlineData(1, "1.0")]
    [InlineData(1e15, "1000000000000000.0")]
    [InlineData(1e16, "1e+16")]
    [InlineData(1.5e300, "1.5e+300")]
    [InlineData(123456.75, "123456.75")]
    [InlineData(0.1, "0.1")]
    public void Of_Floats_AreWrittenAsPythonDoes(double value, string expected) => Assert.Equal(expected, PythonRepr.Of(value));
}
