package cli

import (
	"github.com/alecthomas/kong"

	"github.com/rowback/rowback/storage"
	"github.com/rowback/rowback/storage/bucket"
	"github.com/rowback/rowback/storage/datadir"
)

// objectFlags say where the objects are, if not in the data directory.
type objectFlags struct {
	Objects string `help:"${objects}" placeholder:"URL"`
	bucketFlags
	CacheDir string `help:"${cache_dir}" type:"path" placeholder:"DIR"`
}

// bucketFlags say how a bucket is reached, and how it keeps objects.
type bucketFlags struct {
	S3Endpoint     string `help:"${s3_endpoint}" name:"s3-endpoint" placeholder:"URL"`
	S3Region       string `help:"Region of the bucket. By default AWS_REGION, else us-east-1." name:"s3-region"`
	S3Encryption   string `help:"${s3_encryption}" name:"s3-encryption" placeholder:"HOW"`
	S3StorageClass string `help:"Storage class of the objects. By default the bucket's." name:"s3-storage-class"`
}

// at returns a bucket that is reached like that; its address may be empty.
func (f bucketFlags) at(url string) *storage.ObjectStore {
	return &storage.ObjectStore{Objects: datadir.Objects{
		URL: url, Endpoint: f.S3Endpoint, Region: f.S3Region, Encryption: f.S3Encryption, StorageClass: f.S3StorageClass,
	}}
}

// options are those of functions about backups, which may be in a bucket.
func (f bucketFlags) options() storage.Options { return storage.Options{BackupBucket: f.at("")} }

// backupPlace is where backups are: a path, or s3://bucket/prefix.
type backupPlace string

// UnmarshalText reads a place. A path is one from the working directory.
func (p *backupPlace) UnmarshalText(text []byte) error {
	name := string(text)
	if !bucket.Is(name) {
		*p = backupPlace(kong.ExpandPath(name))
		return nil
	}
	if _, _, err := bucket.Parse(name); err != nil {
		return err
	}
	*p = backupPlace(name)
	return nil
}

// store returns where the objects are; without --objects, where the data directory says, or in it.
func (f objectFlags) store(limit int64) *storage.ObjectStore {
	o := f.at(f.Objects)
	o.Cache, o.Limit = f.CacheDir, limit
	return o
}
