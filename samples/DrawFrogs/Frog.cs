using StableTune.Imaging;

/// <summary>A cheerful frog made of ellipses, sitting at (x, y); 1 unit is the size of a frog that fills a picture of 128 pixels.</summary>
internal sealed record Frog(double X, double Y, double Size, double Gaze = 0, bool Winks = false, bool OpenMouth = false)
{
    private static readonly PixelColor s_green = PixelColor.FromRgb(0x4FB548), s_dark = PixelColor.FromRgb(0x2F7D33),
        s_belly = PixelColor.FromRgb(0xCFEBA4);
    private static readonly PixelColor s_cheek = PixelColor.FromRgb(0xF09A8B), s_mouth = PixelColor.FromRgb(0x8E2F3C),
        s_line = PixelColor.FromRgb(0x1E4A25);

    internal void Draw(Canvas canvas, PixelColor shadow)
    {
        Ellipse(canvas, 0, 45, 46, 8, shadow);
        foreach (var side in (int[])[-1, 1])
        {
            Ellipse(canvas, side * 33, 27, 19, 14, s_dark, side * -35);   // thigh
            Ellipse(canvas, side * 36, 42, 15, 5.5, s_green);             // hind foot
        }

        Ellipse(canvas, 0, 20, 33, 27, s_green);    // body
        Ellipse(canvas, 0, 27, 21, 18, s_belly);    // belly
        foreach (var side in (int[])[-1, 1])
        {
            Ellipse(canvas, side * 15, 34, 6, 13, s_green, side * 8);     // arm
            Ellipse(canvas, side * 17, 46, 9, 4.5, s_green);              // hand
            Ellipse(canvas, side * 19, -32, 14, 14, s_green);             // where the eye sits
        }

        Ellipse(canvas, 0, -14, 38, 24, s_green);   // head
        DrawEye(canvas, -19, closed: false);
        DrawEye(canvas, 19, Winks);
        foreach (var side in (int[])[-1, 1])
        {
            Ellipse(canvas, side * 27, -8, 6, 4, s_cheek);
            Ellipse(canvas, side * 3.5, -17, 1.2, 1.6, s_line);           // nostril
        }

        if (OpenMouth) Ellipse(canvas, 0, -3.5, 9, 5.5, s_mouth);
        Curve(canvas, -21, -10, 21, -10, 13);                              // smile
    }

    private void DrawEye(Canvas canvas, double x, bool closed)
    {
        if (closed)
        {
            Curve(canvas, x - 8, -32, x + 8, -32, -7);
            return;
        }

        Ellipse(canvas, x, -33, 9.5, 9.5, PixelColor.White);
        Ellipse(canvas, x + (3 * Gaze), -32, 5.2, 5.8, PixelColor.FromRgb(0x1B1D22));
        Ellipse(canvas, x + (3 * Gaze) + 1.8, -34.4, 1.7, 1.7, PixelColor.White);
    }

    private void Ellipse(Canvas canvas, double x, double y, double radiusX, double radiusY, PixelColor color, double degrees = 0)
        => canvas.FillEllipse(X + (x * Size), Y + (y * Size), radiusX * Size, radiusY * Size, color, degrees);

    // A parabola between two points that sags by `depth`.
    private void Curve(Canvas canvas, double fromX, double fromY, double toX, double toY, double depth)
        => canvas.DrawLine([.. Enumerable.Range(0, 21).Select(i => i / 20.0).Select(t =>
            (X + ((fromX + ((toX - fromX) * t)) * Size), Y + ((fromY + ((toY - fromY) * t) + (depth * 4 * t * (1 - t))) * Size)))],
                2.6 * Size, s_line);
}
