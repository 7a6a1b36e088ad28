namespace StableTune.Imaging;

/// <summary>A decoded picture in OpenCV's memory: three channels of 8 bits, blue first.</summary>
internal sealed unsafe class BorrowedPicture(void* picture, byte* pixels, PixelSize size) : IDisposable
{
    private void* _picture = picture;

    /// <summary>Its pixels, until it is disposed.</summary>
    internal PixelView View
    {
        get
        {
            ObjectDisposedException.ThrowIf(_picture is null, this);
            return new(new ReadOnlySpan<byte>(pixels, checked((int)(3 * size.Area))), size.Width, size.Height, 3, isBgr: true);
        }
    }

    public void Dispose()
    {
        NativeImaging.FreePicture(_picture);
        _picture = null;
    }
}
