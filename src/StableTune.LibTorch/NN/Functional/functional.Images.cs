namespace StableTune.LibTorch;

public static partial class torch
{
    public static partial class nn
    {
        public static partial class functional
        {
            /// <summary>Resizes an image, [B, C, H, W] (for <see cref="InterpolationMode.Linear"/> a signal, [B, C, W]).</summary>
            /// <param name="x">The image.</param>
            /// <param name="size">The new [height, width], or null to use <paramref name="scale_factor"/>.</param>
            /// <param name="scale_factor">One factor, or one for each of height and width; the new size is rounded down.</param>
            /// <param name="mode">How values between pixels are found.</param>
            /// <param name="align_corners">
            /// Whether the corner pixels' centres stay where they are; else the corners of the image do. Only for the linear and
            /// cubic modes.
            /// </param>
            /// <param name="recompute_scale_factor">Whether the factors are computed anew from the rounded sizes.</param>
            /// <param name="antialias">Whether shrinking widens the filter as Pillow's does; bilinear and bicubic only.</param>
            /// <returns>[B, C, H', W'].</returns>
            /// <exception cref="ArgumentException">The options contradict each other, or do not fit the number of dimensions.</exception>
            public static Tensor interpolate(
                Tensor x, long[]? size = null, double[]? scale_factor = null, InterpolationMode mode = InterpolationMode.Nearest,
                bool? align_corners = null, bool recompute_scale_factor = false, bool antialias = false)
            {
                ArgumentNullException.ThrowIfNull(x);
                var input = x.shape;
                var spatial = input.Length - 2;
                CheckInterpolation(spatial, size, scale_factor, mode, align_corners, antialias);
                var scales = scale_factor is { Length: 1 } ? [.. Enumerable.Repeat(scale_factor[0], spatial)] : scale_factor;
                var sizes = size is { Length: 1 } ? [.. Enumerable.Repeat(size[0], spatial)]
                    : size ?? [.. scales!.Select((scale, i) => (long)Math.Floor(input[i + 2] * scale))];
                // The caller's factor, not the ratio of the sizes, maps coordinates, unless asked otherwise: so PyTorch.
                var given = size is null && !recompute_scale_factor ? scales : null;
                var corners = align_corners ?? false;
                double? height = given?[0], width = given?[^1];

                return mode switch
                {
                    InterpolationMode.Nearest when spatial == 1 => Ops.UpsampleNearest1d.Run(x, sizes, width),
                    InterpolationMode.Nearest => Ops.UpsampleNearest2d.Run(x, sizes, height, width),
                    InterpolationMode.NearestExact when spatial == 1 => Ops.UpsampleNearestExact1d.Run(x, sizes, width),
                    InterpolationMode.NearestExact => Ops.UpsampleNearestExact2d.Run(x, sizes, height, width),
                    InterpolationMode.Linear => Ops.UpsampleLinear1d.Run(x, sizes, corners, width),
                    InterpolationMode.Bilinear => (antialias ? Ops.UpsampleBilinear2dAa : Ops.UpsampleBilinear2d).Run(x, sizes, corners, height, width),
                    InterpolationMode.Bicubic => (antialias ? Ops.UpsampleBicubic2dAa : Ops.UpsampleBicubic2d).Run(x, sizes, corners, height, width),
                    _ => (spatial == 1 ? Ops.AdaptiveAvgPool1d : Ops.AdaptiveAvgPool2d).Run(x, sizes),
                };
            }

            private static void CheckInterpolation(
                int spatial, long[]? size, double[]? scale_factor, InterpolationMode mode, bool? align_corners, bool antialias)
            {
                if ((size is null) == (scale_factor is null))
                    throw new ArgumentException("interpolate: give either size or scale_factor, one of them and not both.", nameof(size));
                var given = size?.Length ?? scale_factor!.Length;
                if (given != 1 && given != spatial)
                    throw new ArgumentException($"interpolate: {given} sizes or factors for an input with {spatial} spatial dimension(s): give 1 or {spatial}.", nameof(size));
                if (align_corners is not null && mode is InterpolationMode.Nearest or InterpolationMode.NearestExact or InterpolationMode.Area)
                    throw new ArgumentException($"interpolate: align_corners has no meaning for {mode}: leave it null.", nameof(align_corners));
                if (antialias && mode is not (InterpolationMode.Bilinear or InterpolationMode.Bicubic))
                    throw new ArgumentException($"interpolate: antialias exists for Bilinear and Bicubic, not for {mode}.", nameof(antialias));
                var wanted = mode switch
                {
                    InterpolationMode.Linear => spatial == 1,
                    InterpolationMode.Bilinear or InterpolationMode.Bicubic => spatial == 2,
                    InterpolationMode.Nearest or InterpolationMode.NearestExact or InterpolationMode.Area => spatial is 1 or 2,
                    _ => throw new ArgumentOutOfRangeException(nameof(mode), mode, "interpolate: unknown mode."),
                };
                if (!wanted) throw new ArgumentException($"interpolate: {mode} does not work on {spatial} spatial dimension(s).", nameof(mode));
            }

            /// <summary>Adds a border.</summary>
            /// <param name="input">
            /// Any shape for a constant border; for the other modes as many trailing dimensions as <paramref name="pad"/> has pairs,
            /// after channels and batch: [B, C, H, W] or [C, H, W] for two pairs.
            /// </param>
            /// <param name="pad">Pairs (before, after) from the last dimension backwards: left, right, top, bottom. Negative crops.</param>
            /// <param name="mode">What the border is filled with.</param>
            /// <param name="value">The fill of a constant border.</param>
            /// <returns>The larger tensor.</returns>
            public static Tensor pad(Tensor input, long[] pad, PaddingModes mode = PaddingModes.Constant, double value = 0)
                => Ops.Pad.Run(input, pad, mode switch
                {
                    PaddingModes.Constant or PaddingModes.Zeros => "constant",
                    PaddingModes.Reflect => "reflect",
                    PaddingModes.Replicate => "replicate",
                    PaddingModes.Circular => "circular",
                    _ => throw new ArgumentOutOfRangeException(nameof(mode), mode, "pad: unknown mode."),
                }, mode is PaddingModes.Constant ? (Scalar?)value : null);
        }
    }
}
