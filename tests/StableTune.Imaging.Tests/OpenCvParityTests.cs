namespace StableTune.Imaging.Tests;

/// <summary>Our resizing and edges against OpenCV's recorded ones, bit for bit.</summary>
public sealed class OpenCvParityTests
{
    [Theory]
    [InlineData("bilinear")]
    [InlineData("bicubic")]
    [InlineData("area")]
    public void Resize_RecordedCase_GivesOpenCvsBits(string method)
    {
        Assert.Equal(160, OpenCvCases.Of(method).Count());
        Assert.All(OpenCvCases.Of(method),
            item => item.AssertSame(ImageResize.Resize(item.Picture, item.To[0], item.To[1], Interpolation.Parse(method))));
    }

    [Fact]
    public void Canny_RecordedCase_GivesOpenCvsEdges()
    {
        Assert.Equal(160, OpenCvCases.Of("canny").Count());
        Assert.All(OpenCvCases.Of("canny"),
            item => item.AssertSame(ImageEdges.Canny(item.Picture, item.Thresholds![0], item.Thresholds[1])));
    }
}
