namespace StableTune.LibTorch;

/// <summary>The doors to the operators that layers and functions call, each resolved on first use and kept.</summary>
internal static class Ops
{
    internal static readonly Operator AdaptiveAvgPool1d = new("adaptive_avg_pool1d");
    internal static readonly Operator AdaptiveAvgPool2d = new("adaptive_avg_pool2d");
    internal static readonly Operator AvgPool2d = new("avg_pool2d");
    internal static readonly Operator CosineSimilarity = new("cosine_similarity");
    internal static readonly Operator CrossEntropyLoss = new("cross_entropy_loss");
    internal static readonly Operator Dropout = new("dropout");
    internal static readonly Operator DropoutInPlace = new("dropout_");
    internal static readonly Operator Embedding = new("embedding");
    internal static readonly Operator Gelu = new("gelu");
    internal static readonly Operator GroupNorm = new("group_norm");
    internal static readonly Operator HuberLoss = new("huber_loss");
    internal static readonly Operator Im2col = new("im2col");
    internal static readonly Operator L1Loss = new("l1_loss");
    internal static readonly Operator LayerNorm = new("layer_norm");
    internal static readonly Operator LeakyRelu = new("leaky_relu");
    internal static readonly Operator LeakyReluInPlace = new("leaky_relu_");
    internal static readonly Operator LinalgCholesky = new("linalg_cholesky");
    internal static readonly Operator LinalgDet = new("linalg_det");
    internal static readonly Operator LinalgEigh = new("linalg_eigh");
    internal static readonly Operator LinalgInv = new("linalg_inv");
    internal static readonly Operator LinalgMatrixNorm = new("linalg_matrix_norm");
    internal static readonly Operator LinalgMatrixNormStrOrd = new("linalg_matrix_norm", "str_ord");
    internal static readonly Operator LinalgNorm = new("linalg_norm");
    internal static readonly Operator LinalgQr = new("linalg_qr");
    internal static readonly Operator LinalgSolve = new("linalg_solve");
    internal static readonly Operator LinalgSvd = new("linalg_svd");
    internal static readonly Operator LinalgSvdvals = new("linalg_svdvals");
    internal static readonly Operator LinalgVectorNorm = new("linalg_vector_norm");
    internal static readonly Operator Linear = new("linear");
    internal static readonly Operator LogSoftmax = new("log_softmax", "int");
    internal static readonly Operator MaxPool2d = new("max_pool2d");
    internal static readonly Operator MseLoss = new("mse_loss");
    internal static readonly Operator OneHot = new("one_hot");
    internal static readonly Operator Pad = new("pad");
    internal static readonly Operator Relu = new("relu");
    internal static readonly Operator ReluInPlace = new("relu_");
    internal static readonly Operator ScaledDotProductAttention = new("scaled_dot_product_attention");
    internal static readonly Operator SetData = new("set_data");
    internal static readonly Operator Silu = new("silu");
    internal static readonly Operator SiluInPlace = new("silu_");
    internal static readonly Operator SmoothL1Loss = new("smooth_l1_loss");
    internal static readonly Operator Softmax = new("softmax", "int");
    internal static readonly Operator UpsampleBicubic2d = new("upsample_bicubic2d");
    internal static readonly Operator UpsampleBicubic2dAa = new("_upsample_bicubic2d_aa");
    internal static readonly Operator UpsampleBilinear2d = new("upsample_bilinear2d");
    internal static readonly Operator UpsampleBilinear2dAa = new("_upsample_bilinear2d_aa");
    internal static readonly Operator UpsampleLinear1d = new("upsample_linear1d");
    internal static readonly Operator UpsampleNearest1d = new("upsample_nearest1d");
    internal static readonly Operator UpsampleNearest2d = new("upsample_nearest2d");
    internal static readonly Operator UpsampleNearestExact1d = new("_upsample_nearest_exact1d");
    internal static readonly Operator UpsampleNearestExact2d = new("_upsample_nearest_exact2d");
}
