namespace StableTune.Testing;

/// <summary>Networks of faces and masks whose answers can be told by hand.</summary>
public static class TinyMaskers
{
    /// <summary>
    /// A YuNet that takes every white cell of 8, 16 or 32 pixels for the middle of a face: 3 cells wide and 4 high, with the left eye a
    /// quarter down the cell's left edge and the right eye three quarters down its right edge.
    /// </summary>
    /// <param name="side">The side of its pictures; 0 for any.</param>
    public static OnnxModelWriter YuNet(int side = 0)
    {
        var model = new OnnxModelWriter().Input("input", OnnxType.Float, 1, 3, side, side);
        float[] box = [0.5f, 0.5f, MathF.Log(3), MathF.Log(4)], points = [0, 0.25f, 1, 0.75f, 0, 0, 0, 0, 0, 0];
        foreach (var stride in (int[])[8, 16, 32])
        {
            var cells = model.Node("AveragePool", ["input"], null, ("kernel_shape", (int[])[stride, stride]), ("strides",
                (int[])[stride, stride]));
            var grey = model.Node("ReduceMean", [cells], null, ("axes", (int[])[1]), ("keepdims", 1));
            var list = model.Node("Reshape", [grey, model.Weights([1L, -1, 1], 3)]);
            var share = model.Node("Mul", [list, model.Weights([1 / 255f], 1)], $"obj_{stride}");
            model.Node("Identity", [share], $"cls_{stride}");
            model.Node("Mul", [share, model.Weights(box, 1, 1, 4)], $"bbox_{stride}");
            model.Node("Mul", [share, model.Weights(points, 1, 1, 10)], $"kps_{stride}");
            foreach (var (kind, count) in new[] { ("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10) })
                model.Output($"{kind}_{stride}", OnnxType.Float, 1, 0, count);
        }

        return model;
    }

    /// <summary>
    /// A YOLOv8 with three places, whatever the picture: two boxes at (20, 24) of 16 x 12 and nearly so, scored 1 and 0.9 by the largest
    /// red in the picture, and one at (50, 10) of 4 x 4 scored 0.2 by it.
    /// </summary>
    public static OnnxModelWriter Yolo(int side, int classes)
    {
        var model = new OnnxModelWriter().Input("images", OnnxType.Float, 0, 3, side, side);
        var most = model.Node("GlobalMaxPool", ["images"]);                     // [N, 3, 1, 1]
        var red = model.Node("Gather", [most, model.Weights([0L], 1)], null, ("axis", 1));
        var flat = model.Node("Reshape", [red, model.Weights([-1L, 1, 1], 3)]);
        float[] boxes = [20, 20, 50, 24, 25, 10, 16, 16, 4, 12, 12, 4];
        var none = model.Node("Mul", [flat, model.Weights([0f], 1)]);
        var places = model.Node("Add", [none, model.Weights(boxes, 1, 4, 3)]);
        float[] scores = [.. Enumerable.Repeat(0f, 3 * (classes - 1)), 1, 0.9f, 0.2f];
        var scored = model.Node("Mul", [flat, model.Weights(scores, 1, classes, 3)]);
        model.Node("Concat", [places, scored], "output0", ("axis", 1));
        return model.Output("output0", OnnxType.Float, 0, 4 + classes, 3);
    }

    /// <summary>A network that takes what is bright for what is in front, with a coarser output behind the first.</summary>
    public static OnnxModelWriter Foreground(int side = 8, int batch = 0)
    {
        var model = new OnnxModelWriter().Input("input.1", OnnxType.Float, batch, 3, side, side);
        var mean = model.Node("ReduceMean", ["input.1"], null, ("axes", (int[])[1]), ("keepdims", 1));
        model.Node("Sigmoid", [mean], "fine");
        model.Node("Neg", ["fine"], "coarse");
        return model.Output("fine", OnnxType.Float, batch, 1, side, side).Output("coarse", OnnxType.Float, batch, 1, side, side);
    }

    /// <summary>A CLIPSeg that finds what is bright where the first token is a certain one, and else what is dark.</summary>
    /// <param name="bright">The token.</param>
    /// <param name="length">The length of texts; 0 for any.</param>
    public static OnnxModelWriter ClipSeg(int bright, int length = 0)
    {
        var model = new OnnxModelWriter().Input("input_ids", OnnxType.Int64, 0, length).Input("pixel_values", OnnxType.Float, 0, 3, 8, 8)
            .Input("attention_mask", OnnxType.Int64, 0, length);
        var mean = model.Node("ReduceMean", ["pixel_values"], null, ("axes", (int[])[1]), ("keepdims", 0));
        var first = model.Node("Gather", ["input_ids", model.Weights([1L], 1)], null, ("axis", 1));
        var same = model.Node("Cast", [model.Node("Equal", [first, model.Weights([(long)bright], 1)])], null, ("to", (int)OnnxType.Float));
        var sign = model.Node("Add", [model.Node("Mul", [same, model.Weights([20f], 1)]), model.Weights([-10f], 1)]);
        var signs = model.Node("Reshape", [sign, model.Weights([-1L, 1, 1], 3)]);
        // The attention adds nothing but is used: exports have it.
        var attention = model.Node("Cast", ["attention_mask"], null, ("to", (int)OnnxType.Float));
        var rest = model.Node("Reshape", [model.Node("ReduceMin", [attention], null, ("axes", (int[])[1])), model.Weights([-1L, 1, 1], 3)]);
        var nothing = model.Node("Mul", [rest, model.Weights([0f], 1)]);
        model.Node("Add", [model.Node("Mul", [mean, signs]), nothing], "logits");
        return model.Output("logits", OnnxType.Float, 0, 8, 8);
    }
}
