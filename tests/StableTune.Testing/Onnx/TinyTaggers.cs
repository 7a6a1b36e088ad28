namespace StableTune.Testing;

/// <summary>Taggers of a few numbers, whose scores can be told by hand.</summary>
public static class TinyTaggers
{
    /// <summary>The table of <see cref="Wd"/>: blue_sky and alice_(wonderland) by blue, general and green_grass by green, explicit and
    /// red_rose by red.</summary>
    public const string Table = """
        tag_id,name,category,count
        0,general,9,10
        1,explicit,9,10
        2,blue_sky,0,30
        3,green_grass,0,20
        4,red_rose,0,10
        5,alice_(wonderland),4,5

        """;

    /// <summary>
    /// A WD14 tagger: the means of blue, green and red (its features), a layer, a sigmoid. The logit of a tag is 40 * (share of its colour
    /// - 1/2). With colours last it takes values from 0 to 255, else from -1 to 1.
    /// </summary>
    /// <param name="batch">Pictures that it takes at once; 0 for any number.</param>
    /// <param name="sigmoid">Whether it gives probabilities.</param>
    /// <param name="channelsLast">Whether colours are the last dimension.</param>
    /// <param name="side">The side of its pictures; 0 for any.</param>
    public static OnnxModelWriter Wd(int batch = 0, bool sigmoid = true, bool channelsLast = true, int side = 8)
    {
        var model = new OnnxModelWriter();
        if (channelsLast) model.Input("input_1", OnnxType.Float, batch, side, side, 3);
        else model.Input("input_1", OnnxType.Float, batch, 3, side, side);
        var means = model.Node("ReduceMean", ["input_1"], "features", ("axes", channelsLast ? (int[])[1, 2] : [2, 3]), ("keepdims", 0));
        var (s, shift) = channelsLast ? (40f / 255, -20f) : (20f, 0f);
        float[] rows =
        [
            0, 0, s, 0, 0, s,                                                   // blue
            s, 0, 0, s, 0, 0,                                                   // green
            0, s, 0, 0, s, 0,                                                   // red
        ];
        var bias = model.Weights([shift, shift, shift, shift, shift, shift], 6);
        var logits = model.Node("Gemm", [means, model.Weights(rows, 3, 6), bias], sigmoid ? null : "scores");
        if (sigmoid) model.Node("Sigmoid", [logits], "scores");
        return model.Output("scores", OnnxType.Float, batch, 6);
    }

    /// <summary>Writes it with its table into a folder.</summary>
    public static string Write(string folder, OnnxModelWriter? model = null)
    {
        (model ?? Wd()).Save(Path.Combine(folder, "model.onnx"));
        File.WriteAllText(Path.Combine(folder, "selected_tags.csv"), Table);
        return folder;
    }
}
