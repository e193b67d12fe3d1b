package cli

import (
	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/datadir"
)

// objectFlags say where the objects are, if not in the data directory.
type objectFlags struct {
	Objects        string `help:"${objects}" placeholder:"URL"`
	S3Endpoint     string `help:"${s3_endpoint}" name:"s3-endpoint" placeholder:"URL"`
	S3Region       string `help:"Region of the bucket. By default AWS_REGION, else us-east-1." name:"s3-region"`
	S3Encryption   string `help:"${s3_encryption}" name:"s3-encryption" placeholder:"HOW"`
	S3StorageClass string `help:"Storage class of the objects. By default the bucket's." name:"s3-storage-class"`
	CacheDir       string `help:"${cache_dir}" type:"path" placeholder:"DIR"`
}

// store returns where the objects are; without --objects, where the data directory says, or in it.
func (f objectFlags) store(limit int64) *storage.ObjectStore {
	return &storage.ObjectStore{
		Objects: datadir.Objects{
			URL: f.Objects, Endpoint: f.S3Endpoint, Region: f.S3Region, Encryption: f.S3Encryption,
			StorageClass: f.S3StorageClass,
		},
		Cache: f.CacheDir, Limit: limit,
	}
}
